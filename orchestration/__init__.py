"""Wiring: Dagster definitions and the command line. Holds no business rule."""
