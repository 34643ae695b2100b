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
    count(case when operations.action in ('create', 'adopt') then 1 end) as create_count,
    count(case when operations.action in ('update', 'unarchive') then 1 end) as update_count,
    count(case when operations.action in ('archive', 'delete') then 1 end) as removal_count,
    count(case when operations.action = 'set_stock' then 1 end) as stock_count,
    count(case when operations.status = 'done' then 1 end) as done_count,
    count(case when operations.status = 'failed' then 1 end) as refused_count,
    count(case when operations.status = 'unknown' then 1 end) as unknown_count,
    count(case when operations.status in ('deferred', 'skipped') then 1 end) as deferred_count,
    count(case when operations.status in ('planned', 'sent') then 1 end) as open_count,
    cast(count(case when operations.status in ('failed', 'unknown') then 1 end) as double precision)
    / nullif(count(case when operations.status in ('done', 'failed', 'unknown') then 1 end), 0) as failed_share
from {{ source('reverse_etl', 'operations') }} as operations
inner join {{ source('reverse_etl', 'plans') }} as plans on operations.plan_id = plans.plan_id
group by
    operations.plan_id, operations.sync, operations.destination, operations.connection, plans.profile, plans.status,
    plans.created_at
