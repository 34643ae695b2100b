{{ config(unique_key='attribute_group_key') }}

{% set columns = [
    {'name': 'name', 'path': 'name'},
    {'name': 'position', 'path': 'order', 'type': 'integer'},
    {'name': 'attribute_labels', 'path': 'attribute_labels', 'type': 'ids'},
] %}

with documents as ({{ latest_documents('raw_plytix', 'attribute_groups') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as attribute_group_key,
    connection,
    document_key as attribute_group_id,
    name,
    position,
    attribute_labels,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
