{{ config(unique_key='family_key') }}

{% set columns = [
    {'name': 'name', 'path': 'name'},
    {'name': 'created_at', 'path': ['created', '_created_at'], 'type': 'timestamp'},
    {'name': 'modified_at', 'path': 'modified', 'type': 'timestamp'},
] %}

with documents as ({{ latest_documents('raw_plytix', 'families') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as family_key,
    connection,
    document_key as family_id,
    name,
    created_at,
    modified_at,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
