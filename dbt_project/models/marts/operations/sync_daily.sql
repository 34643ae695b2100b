{# A day of one connection: what was done, how long it took, what it cost. Days are UTC. #}
with days as (
    select
        cast(answered_at at time zone 'UTC' as date) as run_date,
        destination,
        connection,
        count(distinct plan_id) as run_count,
        count(*) filter (where status = 'done') as done_count,
        count(*) filter (where status = 'failed') as refused_count,
        count(*) filter (where status = 'unknown') as unknown_count,
        count(*) filter (where status in ('deferred', 'skipped')) as deferred_count
    from {{ source('reverse_etl', 'operations') }}
    where answered_at is not null
    group by 1, 2, 3
),

durations as (
    select
        cast(ended_at at time zone 'UTC' as date) as run_date,
        destination,
        connection,
        sum(duration_seconds) as duration_seconds
    from {{ ref('sync_runs') }}
    group by 1, 2, 3
),

traffic as (
    select
        cast(ended_at at time zone 'UTC' as date) as run_date,
        destination,
        connection,
        sum(requests) as request_count,
        sum(throttled) as throttled_count
    from {{ source('reverse_etl', 'traffic') }}
    group by 1, 2, 3
)

select
    days.destination || ':' || days.connection || ':' || cast(days.run_date as text) as sync_day_key,
    days.run_date,
    days.destination,
    days.connection,
    days.run_count,
    days.done_count,
    days.refused_count,
    days.unknown_count,
    days.deferred_count,
    cast(days.refused_count + days.unknown_count as double precision)
    / nullif(days.done_count + days.refused_count + days.unknown_count, 0) as failed_share,
    coalesce(durations.duration_seconds, 0) as duration_seconds,
    cast(coalesce(traffic.request_count, 0) as bigint) as request_count,
    cast(coalesce(traffic.throttled_count, 0) as bigint) as throttled_count
from days
left join durations
    on
        days.run_date = durations.run_date
        and days.destination = durations.destination
        and days.connection = durations.connection
left join traffic
    on
        days.run_date = traffic.run_date
        and days.destination = traffic.destination
        and days.connection = traffic.connection
