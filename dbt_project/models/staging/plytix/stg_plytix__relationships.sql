{{ config(unique_key='relationship_key') }}

{% set columns = [
    {'name': 'relationship_label', 'path': 'label'},
    {'name': 'name', 'path': 'name'},
    {'name': 'is_symmetrical', 'path': 'symmetrical', 'type': 'boolean'},
] %}

with documents as ({{ latest_documents('raw_plytix', 'relationships') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as relationship_key,
    connection,
    document_key as relationship_id,
    relationship_label,
    name,
    is_symmetrical,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
