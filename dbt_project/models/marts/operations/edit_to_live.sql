{# Median and 95th percentile of the edit-to-live clock per field, over the last 30 days. #}
select
    destination || ':' || connection || ':' || sync || ':' || field as edit_to_live_key,
    destination,
    connection,
    sync,
    field,
    count(*) as edit_count,
    cast(percentile_cont(0.5) within group (order by seconds_to_live) as double precision) as p50_seconds,
    cast(percentile_cont(0.95) within group (order by seconds_to_live) as double precision) as p95_seconds,
    max(live_at) as last_live_at
from {{ ref('field_edits') }}
where live_at > now() - interval '30 days'
group by destination, connection, sync, field
