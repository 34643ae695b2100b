"""Dagster definitions by stage: ingestion, transformation, activation, operations."""
