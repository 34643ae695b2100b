"""Wiring: Dagster definitions and the command line. Holds no business rule."""

import gc

# The libraries make a million objects that stay: searching them for garbage took a sixth of loading the definitions.
gc.set_threshold(50_000, 10, 10)
