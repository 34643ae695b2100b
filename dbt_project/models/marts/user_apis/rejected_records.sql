{{ config(materialized='view') }}

select record_key, user_id, source_id, resource, entity, reject_reasons, landed_at
from {{ ref('user_records') }}
where reject_reasons is not null and not is_deleted
