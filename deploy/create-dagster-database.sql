-- Run once, when the Postgres volume is made: Dagster's runs and events live beside the warehouse, not in it.
CREATE DATABASE dagster;
