{# One document per collection holds its fields: all rows of a collection are replaced together. #}
{{ config(unique_key='collection_key') }}

{% set columns = [
    {'name': 'collection_name', 'path': 'displayName'},
    {'name': 'collection_slug', 'path': 'slug'},
    {'name': 'fields', 'path': 'fields', 'type': 'json'},
] %}

with documents as ({{ latest_documents('raw_webflow', 'collections') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    unpacked.connection || ':' || unpacked.document_key as collection_key,
    unpacked.connection || ':' || unpacked.document_key || ':'
    || {{ json_field('field.value', 'slug') }} as collection_field_key,
    unpacked.connection,
    unpacked.document_key as collection_id,
    unpacked.collection_name,
    unpacked.collection_slug,
    {{ json_field('field.value', 'id') }} as field_id,
    {{ json_field('field.value', 'slug') }} as field_slug,
    {{ json_field('field.value', 'displayName') }} as field_name,
    {{ json_field('field.value', 'type') }} as field_type,
    {{ cast_text(json_field('field.value', 'isRequired'), 'boolean') }} as is_required,
    field.position,
    unpacked.is_deleted,
    unpacked.landed_at
from unpacked
cross join lateral {{ json_elements('unpacked.fields', 'field') }}
where {{ json_field('field.value', 'slug') }} is not null
