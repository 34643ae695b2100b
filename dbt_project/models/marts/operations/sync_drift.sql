{# Edits in the destination, with what we wrote and what was done about them; values are JSON texts. #}
select
    plan_id,
    found_at,
    destination,
    connection,
    sync,
    key,
    field,
    ours as view_value,
    answered as written_value,
    theirs as found_value,
    policy,
    decided
from {{ source('reverse_etl', 'drift') }}
