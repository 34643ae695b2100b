{# Every operation that was refused or deferred, or whose outcome is unknown, with the destination's own words. #}
with tried as (
    select
        *,
        row_number() over (
            partition by destination, connection, sync, key order by planned_at desc, answered_at desc, seq desc
        ) as nth
    from {{ source('reverse_etl', 'operations') }}
    where status not in ('planned', 'skipped')
)

select
    plan_id || ':' || cast(seq as text) as sync_error_key,
    plan_id,
    destination,
    connection,
    sync,
    key,
    resource,
    action,
    status,
    error,
    error_field,
    is_permanent,
    attempts,
    planned_at,
    answered_at,
    nth = 1 as is_last_try
from tried
where status in ('failed', 'deferred', 'unknown')
