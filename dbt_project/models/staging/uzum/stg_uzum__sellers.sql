{# Sellers come inside their products: one row per seller and load, from the newest product version in it. #}
{{ config(unique_key='load_id', indexes=indexes(['load_id', 'built_at', 'seller_key'])) }}

{% set columns = [
    {'name': 'seller_id', 'path': 'seller.id', 'type': 'integer'},
    {'name': 'seller_account_id', 'path': 'seller.sellerAccountId', 'type': 'integer'},
    {'name': 'name', 'path': 'seller.title'},
    {'name': 'link', 'path': 'seller.link'},
    {'name': 'rating', 'path': 'seller.rating', 'type': 'numeric(5, 2)'},
    {'name': 'reviews_count', 'path': 'seller.reviews', 'type': 'integer'},
    {'name': 'orders_count', 'path': 'seller.orders', 'type': 'integer'},
    {'name': 'is_official', 'path': 'seller.official', 'type': 'boolean'},
    {'name': 'registered_at', 'path': 'seller.registrationDate', 'type': 'epoch_ms'},
] %}

with documents as ({{ document_versions('raw_uzum', 'products') }}),

unpacked as ({{ unpack('documents', columns, keep=version_columns()) }}),

numbered as (
    select
        unpacked.*,
        row_number() over (
            partition by connection, coalesce(cast(seller_id as text), 'of ' || document_key), load_id
            order by landed_at desc, orders_count desc nulls last, document_key asc
        ) as choice
    from unpacked
    where not is_deleted and (seller_id is not null or rejects is not null)
)

select
    connection || ':' || cast(seller_id as text) || ':' || load_id as seller_version_key,
    connection || ':' || cast(seller_id as text) as seller_key,
    connection,
    seller_id,
    seller_account_id,
    name,
    link,
    rating,
    reviews_count,
    orders_count,
    is_official,
    registered_at,
    landed_at,
    load_id,
    built_at,
    cast_failures,
    rejects,
    seller_id is null as is_put_aside
from numbered
where choice = 1
