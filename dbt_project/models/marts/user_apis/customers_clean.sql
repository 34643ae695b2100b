{{ config(materialized='view') }}

select
    record_key,
    user_id,
    source_id,
    user_id || '/' || source_id || '/' || document_key as customer_link,
    user_id || '/' || coalesce(email_hash, phone_hash, record_key) as person_key,
    created_at,
    updated_at,
    status,
    email_hash,
    phone_hash,
    name_hash,
    landed_at
from {{ ref('user_records') }}
where entity = 'customer' and not is_deleted and not is_ignored and reject_reasons is null
