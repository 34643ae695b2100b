{{ config(unique_key='attribute_key') }}

{% set columns = [
    {'name': 'attribute_label', 'path': 'label'},
    {'name': 'name', 'path': 'name'},
    {'name': 'type_class', 'path': 'type_class'},
    {'name': 'description', 'path': 'description'},
    {'name': 'group_ids', 'path': 'groups', 'type': 'ids'},
    {'name': 'options', 'path': 'options', 'type': 'ids'},
    {'name': 'completeness_attributes', 'path': 'attributes', 'type': 'json'},
] %}

with documents as ({{ latest_documents('raw_plytix', 'attributes') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as attribute_key,
    connection,
    document_key as attribute_id,
    attribute_label,
    name,
    type_class,
    description,
    group_ids,
    options,
    completeness_attributes,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
