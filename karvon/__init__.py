"""Foundation shared by all rooms: settings, connections, warehouse, HTTP, progress.

Imports libraries only; knows nothing of dlt, dbt, Dagster or any remote API's meaning.
"""
