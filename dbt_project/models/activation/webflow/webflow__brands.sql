{# A brand is there as long as a product of the shop has it; ready products alone give it a slug. #}
with shown as (
    select
        products.connection || ':' || products.brand as brand_key,
        products.brand,
        products.product_key
    from {{ ref('products') }} as products
    inner join {{ ref('product_readiness') }} as readiness on products.product_key = readiness.product_key
    where readiness.state <> 'off' and products.brand is not null
),

slugs as (
    select entity_key, slug from {{ ref('slugs') }}
    where entity = 'brand'
),

pictures as (
    select product_key, main_image_url from {{ ref('product_variants') }}
    where is_default and main_image_url is not null
),

brands as (
    select
        shown.brand_key,
        min(shown.brand) as name,
        count(distinct shown.product_key) as product_count,
        min(case when pictures.main_image_url is not null then shown.product_key end) as cover_product_key
    from shown
    left join pictures on shown.product_key = pictures.product_key
    group by shown.brand_key
)

select
    brands.brand_key,
    brands.name,
    slugs.slug,
    brands.product_count,
    case when brands.product_count < 10 then 'Small' when brands.product_count < 100 then 'Medium' else 'Large' end as size,
    pictures.main_image_url as cover_url,
    brands.name as cover_alt,
    case when slugs.slug is null then 'none of its products was ready for the shop yet' end as hold_reasons
from brands
left join slugs on brands.brand_key = slugs.entity_key
left join pictures on brands.cover_product_key = pictures.product_key
