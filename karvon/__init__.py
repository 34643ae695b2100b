"""Foundation shared by all rooms: settings, connections, warehouse, HTTP, progress.

Imports libraries only; knows nothing of dlt, dbt, Dagster or any remote API's meaning.
"""

import gc

# Documents and libraries are a million objects that stay or go by themselves; searching them for cycles as often as
# Python does took a sixth of loading the definitions and made pauses of a fifth of a second.
gc.set_threshold(50_000, 10, 10)
