{# Where a product stood for a search query; every version is a fact. Only with a search token (dossier §1.6). #}
{{ config(unique_key='load_id') }}

{% set columns = [
    {'name': 'query', 'path': 'query'},
    {'name': 'sort', 'path': 'sort'},
    {'name': 'position', 'path': 'position', 'type': 'integer'},
    {'name': 'product_id', 'path': 'product_id', 'type': 'integer'},
    {'name': 'total_count', 'path': 'total', 'type': 'integer'},
] %}

with documents as ({{ document_versions('raw_uzum', 'keyword_positions') }}),

unpacked as ({{ unpack('documents', columns, keep=version_columns()) }})

select
    {{ version_key() }} as keyword_position_key,
    connection || ':' || cast(product_id as text) as product_key,
    connection,
    query,
    sort,
    position,
    total_count,
    is_deleted,
    landed_at,
    load_id,
    built_at,
    cast_failures,
    rejects
from unpacked
