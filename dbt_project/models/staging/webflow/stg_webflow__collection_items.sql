{{ config(unique_key='collection_item_key') }}

{% set columns = [
    {'name': 'collection_id', 'path': 'collectionId'},
    {'name': 'item_id', 'path': 'id'},
    {'name': 'cms_locale_id', 'path': 'cmsLocaleId'},
    {'name': 'secondary_locale', 'path': 'secondaryLocale'},
    {'name': 'name', 'path': 'fieldData.name'},
    {'name': 'slug', 'path': 'fieldData.slug'},
    {'name': 'is_archived', 'path': 'isArchived', 'type': 'boolean'},
    {'name': 'is_draft', 'path': 'isDraft', 'type': 'boolean'},
    {'name': 'last_published_at', 'path': 'lastPublished', 'type': 'timestamp'},
    {'name': 'last_updated_at', 'path': 'lastUpdated', 'type': 'timestamp'},
] %}

with documents as ({{ latest_documents('raw_webflow', 'collection_items') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as collection_item_key,
    connection || ':' || collection_id as collection_key,
    connection,
    collection_id,
    item_id,
    cms_locale_id,
    secondary_locale,
    name,
    slug,
    is_archived,
    is_draft,
    last_published_at,
    last_updated_at,
    case
        when is_archived then 'archived'
        when is_draft and last_published_at is not null then 'draft changes'
        when is_draft then 'draft'
        when last_published_at is null or last_published_at < last_updated_at then 'queued'
        else 'published'
    end as publication,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
