{{ config(unique_key='load_id', indexes=indexes(['load_id', 'built_at', 'product_key'])) }}

{% set columns = [
    {'name': 'title', 'path': 'title'},
    {'name': 'title_uz', 'path': 'localizableTitle.uz'},
    {'name': 'title_ru', 'path': 'localizableTitle.ru'},
    {'name': 'category_id', 'path': 'category.id', 'type': 'integer'},
    {'name': 'seller_id', 'path': 'seller.id', 'type': 'integer'},
    {'name': 'orders_count', 'path': 'ordersAmount', 'type': 'integer'},
    {'name': 'rounded_orders_count', 'path': 'rOrdersAmount', 'type': 'integer'},
    {'name': 'available_quantity', 'path': 'totalAvailableAmount', 'type': 'integer'},
    {'name': 'reviews_count', 'path': 'reviewsAmount', 'type': 'integer'},
    {'name': 'rating', 'path': 'rating', 'type': 'numeric(5, 2)'},
    {'name': 'badges', 'path': 'badges', 'type': 'json'},
    {'name': 'is_adult', 'path': 'adultCategory', 'type': 'boolean'},
    {'name': 'is_original', 'path': 'originality.isOriginal', 'type': 'boolean'},
    {'name': 'warranty_months', 'path': 'warranty.amount', 'type': 'integer'},
] %}

with documents as ({{ document_versions('raw_uzum', 'products') }}),

unpacked as ({{ unpack('documents', columns, keep=version_columns()) }})

select
    {{ version_key() }} as product_version_key,
    connection || ':' || document_key as product_key,
    connection,
    {{ cast_text('document_key', 'integer') }} as product_id,
    title,
    title_uz,
    title_ru,
    category_id,
    seller_id,
    orders_count,
    rounded_orders_count,
    available_quantity,
    reviews_count,
    rating,
    badges,
    is_adult,
    is_original,
    warranty_months,
    is_deleted,
    landed_at,
    load_id,
    built_at,
    cast_failures,
    rejects
from unpacked
