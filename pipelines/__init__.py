"""Extract and load: documents from remote APIs into `raw_<source>` tables, with dlt. Runs without Dagster."""
