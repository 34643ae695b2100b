{{ config(unique_key='product_key') }}

{% set columns = [
    {'name': 'product_family_id', 'path': 'product_family_id', 'type': 'id'},
    {'name': 'product_family_model_id', 'path': 'product_family_model_id', 'type': 'id'},
    {'name': 'product_type', 'path': 'product_type'},
    {'name': 'product_level', 'path': 'product_level', 'type': 'integer'},
    {'name': 'overwritten_attributes', 'path': 'overwritten_attributes', 'type': 'ids'},
] %}

with documents as ({{ latest_documents('raw_plytix', 'product_details') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as product_key,
    connection,
    document_key as product_id,
    product_family_id,
    product_family_model_id,
    upper(product_type) as product_type,
    product_level,
    overwritten_attributes,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
