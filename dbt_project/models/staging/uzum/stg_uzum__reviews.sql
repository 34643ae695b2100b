{{ config(unique_key='review_key') }}

{% set columns = [
    {'name': 'product_id', 'path': ['productId', 'product_id'], 'type': 'integer'},
    {'name': 'rating', 'path': 'rating', 'type': 'integer'},
    {'name': 'reviewed_at', 'path': 'date', 'type': 'epoch_ms'},
    {'name': 'content', 'path': 'content'},
    {'name': 'pros', 'path': 'pros'},
    {'name': 'cons', 'path': 'cons'},
    {'name': 'is_edited', 'path': 'edited', 'type': 'boolean'},
] %}

with documents as ({{ latest_documents('raw_uzum', 'reviews') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as review_key,
    connection || ':' || cast(product_id as text) as product_key,
    connection,
    rating,
    reviewed_at,
    content,
    pros,
    cons,
    is_edited,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
