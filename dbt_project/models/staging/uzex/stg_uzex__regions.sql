{{ config(unique_key='region_key') }}

{% set columns = [
    {'name': 'name', 'path': 'name'},
] %}

with documents as ({{ latest_documents('raw_uzex', 'regions') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as region_key,
    connection,
    {{ cast_text('document_key', 'integer') }} as region_id,
    trim(name) as name,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
