{{ config(unique_key='user_id') }}

{% set columns = [
    {'name': 'title', 'path': 'title'},
    {'name': 'time_zone', 'path': 'time_zone'},
    {'name': 'currency', 'path': 'currency'},
    {'name': 'is_suspended', 'path': 'suspended', 'type': 'boolean'},
] %}

with documents as ({{ latest_documents('raw_user_apis', 'users') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    cast(document_key as text) as user_id,
    title,
    time_zone,
    currency,
    coalesce(is_suspended, false) as is_suspended,
    is_deleted,
    landed_at,
    cast_failures
from unpacked
