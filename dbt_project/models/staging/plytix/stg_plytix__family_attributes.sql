{# One document per family holds the list: all rows of a family are replaced together. #}
{{ config(unique_key='family_key', pre_hook='{{ forget_changed_documents() }}') }}

{% set columns = [
    {'name': 'attributes', 'path': 'attributes', 'type': 'json'},
] %}

with documents as ({{ latest_documents('raw_plytix', 'family_attributes') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    unpacked.connection || ':' || unpacked.document_key as family_key,
    unpacked.connection || ':' || unpacked.document_key || ':'
    || {{ json_field('entry.value', 'label') }} as family_attribute_key,
    unpacked.connection,
    {{ json_field('entry.value', 'label') }} as attribute_label,
    {{ json_field('entry.value', 'name') }} as name,
    {{ json_field('entry.value', 'attribute_level') }} as attribute_level,
    entry.position,
    unpacked.is_deleted,
    unpacked.landed_at
from unpacked
cross join lateral {{ json_elements('unpacked.attributes', 'entry') }}
where {{ json_field('entry.value', 'label') }} is not null
