{{ config(unique_key='category_key') }}

{% set columns = [
    {'name': 'name', 'path': 'name'},
    {'name': 'slug', 'path': 'slug'},
    {'name': 'path_names', 'path': 'path', 'type': 'ids'},
    {'name': 'parents_ids', 'path': 'parents_ids', 'type': 'ids'},
    {'name': 'n_children', 'path': 'n_children', 'type': 'integer'},
    {'name': 'sort_order', 'path': 'order'},
    {'name': 'modified_at', 'path': 'modified', 'type': 'timestamp'},
] %}

with documents as ({{ latest_documents('raw_plytix', 'categories') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as category_key,
    connection,
    document_key as category_id,
    name,
    slug,
    path_names,
    parents_ids,
    n_children,
    sort_order,
    modified_at,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
