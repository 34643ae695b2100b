{#
The edit-to-live clock, field by field: from the last edit of the row at its source to the moment the destination
answered the write. Only a change that an edit brought counts: one made since the row was planned before (or, for its
first operation, since the sync began). So neither the first filling of a shop nor drift nor a new mapping is
taken for an edit of years ago.
#}
with operations as (
    select
        *,
        lag(planned_at) over (
            partition by destination, connection, sync, key, action = 'set_stock' order by planned_at, seq
        ) as planned_before,
        min(planned_at) over (partition by destination, connection, sync) as sync_began
    from {{ source('reverse_etl', 'operations') }}
    where status = 'done'
)

select
    operations.plan_id || ':' || cast(operations.seq as text) || ':' || change.key as field_edit_key,
    operations.plan_id,
    operations.destination,
    operations.connection,
    operations.sync,
    operations.key,
    change.key as field,
    operations.edited_at,
    operations.answered_at as live_at,
    cast(extract(epoch from operations.answered_at - operations.edited_at) as double precision) as seconds_to_live
from operations
cross join lateral {{ json_entries(as_json('operations.changes'), 'change') }}
where
    operations.edited_at > coalesce(operations.planned_before, operations.sync_began)
    and operations.answered_at >= operations.edited_at
