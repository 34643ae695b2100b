{# The share of mapped fields that are equal in view and destination, after each run. #}
select
    sync || ':' || plan_id || ':' || cast(measured_at as text) as sync_parity_key,
    plan_id,
    measured_at,
    destination,
    connection,
    sync,
    cast(sum(row_count) as bigint) as field_count,
    cast(sum(equal_count) as bigint) as equal_count,
    cast(sum(equal_count) as double precision) / nullif(sum(row_count), 0) as equal_share
from {{ source('reverse_etl', 'parity') }}
group by plan_id, measured_at, destination, connection, sync
