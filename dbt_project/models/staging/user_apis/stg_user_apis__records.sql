{{ config(unique_key='record_key') }}

with documents as (
    {{ latest_documents('raw_user_apis', 'records', ['user_id', 'source_id', 'resource', 'document_key']) }}
)

select
    user_id || '/' || source_id || '/' || resource || '/' || document_key as record_key,
    user_id || '/' || source_id || '/' || resource as definition_key,
    cast(user_id as text) as user_id,
    cast(source_id as text) as source_id,
    cast(resource as text) as resource,
    cast(document_key as text) as document_key,
    {{ as_json('document') }} as document,
    cast(document_hash as text) as document_hash,
    is_deleted,
    landed_at
from documents
