{# Rows that are not out, per sync; the same rule as `tallied` in reverse_etl/state/outstanding.py. #}
with reasons as (
    select sync, why, key, max(row_count) as row_count
    from {{ source('reverse_etl', 'outstanding') }}
    group by sync, why, key
)

select
    sync,
    cast(coalesce(sum(case when why = 'not_ready' then row_count end), 0) as bigint) as not_ready_count,
    cast(coalesce(sum(case when why = 'waits' then row_count end), 0) as bigint) as waits_count,
    cast(coalesce(sum(case when why = 'refused' then row_count end), 0) as bigint) as refused_count
from reasons
group by sync
