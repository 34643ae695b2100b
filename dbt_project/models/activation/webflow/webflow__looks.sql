{# A look is a product with what Plytix relates to it, as far as all of it is in the shop. #}
with shop_products as (
    select * from {{ ref('webflow__products') }}
    where hold_reasons is null
),

roots as (
    select product_key, root_key from {{ ref('catalogue_items') }}
),

links as (
    select
        links_from.root_key as product_key,
        links_to.root_key as related_key,
        min(relations.position) as position
    from {{ ref('product_relations') }} as relations
    inner join roots as links_from on relations.product_key = links_from.product_key
    inner join roots as links_to on relations.related_product_key = links_to.product_key
    where links_from.root_key <> links_to.root_key
    group by links_from.root_key, links_to.root_key
),

looks as (
    select
        links.product_key,
        count(*) + 1 as piece_count,
        '[' || string_agg(
            {{ json_string('links.related_key') }}, ',' order by links.position, links.related_key
        ) || ']' as related_keys
    from links
    inner join shop_products as related on links.related_key = related.product_key
    group by links.product_key
),

pictures as (
    select product_key, main_image_url, main_image_alt from {{ ref('product_variants') }}
    where is_default
)

select
    shop_products.product_key as look_key,
    left(shop_products.name || ': the look', 256) as name,
    shop_products.slug,
    shop_products.product_key,
    looks.related_keys,
    case when products.brand is not null then products.connection || ':' || products.brand end as brand_key,
    pictures.main_image_url as picture_url,
    pictures.main_image_alt as picture_alt,
    looks.piece_count
from looks
inner join shop_products on looks.product_key = shop_products.product_key
inner join {{ ref('products') }} as products on looks.product_key = products.product_key
left join pictures on looks.product_key = pictures.product_key
