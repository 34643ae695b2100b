{{ config(unique_key='category_key') }}

{% set columns = [
    {'name': 'name', 'path': 'name'},
] %}

with documents as ({{ latest_documents('raw_uzex', 'categories') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as category_key,
    connection,
    {{ cast_text('document_key', 'integer') }} as category_id,
    trim(name) as name,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
