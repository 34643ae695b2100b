{# Single ids that a crawl went back to out of turn: no range says so for a list, so each revisit lands its ids. #}
{{ config(unique_key='load_id') }}

{% set columns = [
    {'name': 'ids', 'path': 'ids', 'type': 'json'},
] %}

with documents as ({{ document_versions('raw_uzum', 'visits') }}),

unpacked as ({{ unpack('documents', columns, keep=version_columns()) }}),

ids as (
    select distinct
        unpacked.connection,
        unpacked.landed_at,
        unpacked.load_id,
        unpacked.built_at,
        {{ cast_text(json_text('visited.value'), 'integer') }} as product_id
    from unpacked
    cross join lateral {{ json_elements('unpacked.ids', 'visited') }}
    where not unpacked.is_deleted
)

select
    connection || ':' || cast(product_id as text) || ':' || load_id as visit_key,
    connection,
    {{ whole('floor(product_id / 1000.0)') }} as id_block,
    product_id as first_id,
    product_id as last_id,
    landed_at as observed_at,
    {{ local_date('landed_at') }} as visit_date,
    load_id,
    built_at
from ids
where product_id is not null
