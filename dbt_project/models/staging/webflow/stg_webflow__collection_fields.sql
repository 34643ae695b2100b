{# One document per collection holds its fields: all rows of a collection are replaced together. #}
{{ config(unique_key='collection_key') }}

{% set collection_columns = [
    {'name': 'collection_name', 'path': 'displayName'},
    {'name': 'collection_slug', 'path': 'slug'},
    {'name': 'fields', 'path': 'fields', 'type': 'list'},
] %}
{% set columns = [
    {'name': 'field_id', 'path': 'id'},
    {'name': 'field_slug', 'path': 'slug'},
    {'name': 'field_name', 'path': 'displayName'},
    {'name': 'field_type', 'path': 'type'},
    {'name': 'is_required', 'path': 'isRequired', 'type': 'boolean'},
] %}
{% set collection = ['connection', 'document_key', 'landed_at', 'is_deleted', 'collection_name', 'collection_slug'] %}

with documents as ({{ latest_documents('raw_webflow', 'collections') }}),

collections as ({{ unpack('documents', collection_columns) }}),

entries as (
    select
        collections.connection,
        collections.document_key,
        collections.landed_at,
        collections.is_deleted,
        collections.collection_name,
        collections.collection_slug,
        collections.rejects as document_rejects,
        field.position,
        field.value as document
    from collections
    left join lateral {{ json_elements('collections.fields', 'field') }} on true
    where field.position is not null or collections.rejects is not null
),

unpacked as ({{ unpack('entries', columns, keep=collection + ['position', 'document_rejects'], entry_of='fields') }}),

once as ({{ once_each('unpacked', key='field_slug', path='fields[].slug', of_document='document_rejects') }})

select
    connection || ':' || document_key as collection_key,
    connection || ':' || document_key || ':' || field_slug as collection_field_key,
    connection,
    document_key as collection_id,
    collection_name,
    collection_slug,
    field_id,
    field_slug,
    field_name,
    field_type,
    is_required,
    position,
    is_deleted,
    landed_at,
    all_rejects as rejects,
    is_put_aside
from once
