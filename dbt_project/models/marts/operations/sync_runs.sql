{# What one plan meant for one sync, and what became of it. #}
select
    operations.plan_id || ':' || operations.sync as sync_run_key,
    operations.plan_id,
    operations.sync,
    operations.destination,
    operations.connection,
    plans.profile,
    plans.status as plan_status,
    plans.created_at as planned_at,
    min(operations.sent_at) as began_at,
    max(operations.answered_at) as ended_at,
    cast(extract(epoch from max(operations.answered_at) - min(operations.sent_at)) as double precision) as duration_seconds,
    count(*) as operation_count,
    count(*) filter (where operations.action in ('create', 'adopt')) as create_count,
    count(*) filter (where operations.action in ('update', 'unarchive')) as update_count,
    count(*) filter (where operations.action in ('archive', 'delete')) as removal_count,
    count(*) filter (where operations.action = 'set_stock') as stock_count,
    count(*) filter (where operations.status = 'done') as done_count,
    count(*) filter (where operations.status = 'failed') as refused_count,
    count(*) filter (where operations.status = 'unknown') as unknown_count,
    count(*) filter (where operations.status in ('deferred', 'skipped')) as deferred_count,
    count(*) filter (where operations.status in ('planned', 'sent')) as open_count,
    cast(count(*) filter (where operations.status in ('failed', 'unknown')) as double precision)
    / nullif(count(*) filter (where operations.status in ('done', 'failed', 'unknown')), 0) as failed_share
from {{ source('reverse_etl', 'operations') }} as operations
inner join {{ source('reverse_etl', 'plans') }} as plans on operations.plan_id = plans.plan_id
group by
    operations.plan_id, operations.sync, operations.destination, operations.connection, plans.profile, plans.status,
    plans.created_at
