{{ config(unique_key='webflow_category_key') }}

{% set columns = [
    {'name': 'name', 'path': 'fieldData.name'},
    {'name': 'slug', 'path': 'fieldData.slug'},
    {'name': 'is_archived', 'path': 'isArchived', 'type': 'boolean'},
    {'name': 'is_draft', 'path': 'isDraft', 'type': 'boolean'},
    {'name': 'last_published_at', 'path': 'lastPublished', 'type': 'timestamp'},
    {'name': 'last_updated_at', 'path': 'lastUpdated', 'type': 'timestamp'},
] %}

with documents as ({{ latest_documents('raw_webflow', 'categories') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as webflow_category_key,
    connection,
    document_key as webflow_category_id,
    name,
    slug,
    is_archived,
    is_draft,
    last_published_at,
    last_updated_at,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
