{{ config(unique_key='category_key') }}

{% set columns = [
    {'name': 'title', 'path': 'title'},
    {'name': 'path_ids', 'path': 'path', 'type': 'ids'},
    {'name': 'is_adult', 'path': 'adult', 'type': 'boolean'},
    {'name': 'is_eco', 'path': 'eco', 'type': 'boolean'},
] %}

with documents as ({{ latest_documents('raw_uzum', 'categories') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as category_key,
    connection,
    {{ cast_text('document_key', 'integer') }} as category_id,
    trim(title) as title,
    path_ids,
    is_adult,
    is_eco,
    is_deleted,
    landed_at,
    {{ current_moment() }} as built_at,
    cast_failures,
    rejects
from unpacked
