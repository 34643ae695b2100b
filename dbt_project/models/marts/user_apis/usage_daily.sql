{{ config(materialized='view') }}

select
    user_id || '/' || cast(cast(finished_at at time zone 'UTC' as date) as text) as usage_key,
    user_id,
    cast(finished_at at time zone 'UTC' as date) as usage_date,
    cast(count(*) as bigint) as run_count,
    cast(sum(rows_seen) as bigint) as rows_seen,
    cast(sum(rows_landed) as bigint) as rows_landed,
    cast(sum(requests) as bigint) as request_count,
    cast(sum(extract(epoch from finished_at - started_at)) / 60 as numeric(18, 4)) as minutes
from {{ source('raw_user_apis', 'source_runs') }}
group by user_id, cast(finished_at at time zone 'UTC' as date)
