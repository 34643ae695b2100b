{# The newest living version of each product; a product that is gone keeps its last one. #}
{{ config(materialized='incremental', unique_key='product_key', indexes=indexes(['product_key', 'built_at'])) }}

with touched as (
    select distinct product_key from {{ ref('stg_uzum__products') }} as versions
    where {{ is_new_for('versions') }}
),

versions as (
    select
        versions.*,
        row_number() over (
            partition by versions.product_key order by versions.landed_at desc, versions.load_id desc
        ) as recency,
        row_number() over (
            partition by versions.product_key
            order by versions.is_deleted asc, versions.landed_at desc, versions.load_id desc
        ) as living_recency
    from {{ ref('stg_uzum__products') }} as versions
    inner join touched on versions.product_key = touched.product_key
),

spans as (
    select
        product_key,
        min(case when not is_deleted then landed_at end) as first_seen_at,
        max(landed_at) as last_changed_at,
        count(*) as version_count,
        max(case when recency = 1 and is_deleted then landed_at end) as gone_at
    from versions
    group by product_key
),

real_prices as (
    select distinct prices.product_key, prices.sku_key, prices.price_amount
    from {{ ref('price_history') }} as prices
    inner join touched on prices.product_key = touched.product_key
    where prices.is_real
),

offers as (
    select
        skus.product_key,
        case when skus.price_amount > 0 then skus.price_amount end as price_amount,
        coalesce(skus.available_quantity, 1) > 0 as is_in_stock,
        coalesce(skus.available_quantity, 1) > 0 and real_prices.price_amount is not null as is_real
    from versions
    inner join {{ ref('stg_uzum__skus') }} as skus on versions.product_version_key = skus.product_version_key
    left join real_prices
        on
            skus.product_key = real_prices.product_key
            and skus.sku_key = real_prices.sku_key
            and skus.price_amount = real_prices.price_amount
    where versions.living_recency = 1
),

{# Of what one can buy; of a product that is sold out, what it shows. #}
prices as (
    select
        product_key,
        count(*) as sku_count,
        bool_or(is_in_stock) as is_in_stock,
        coalesce(min(case when is_real then price_amount end), min(price_amount)) as lowest_price_amount,
        coalesce(max(case when is_real then price_amount end), max(price_amount)) as highest_price_amount
    from offers
    group by product_key
)

select
    versions.product_key,
    versions.connection,
    versions.product_id,
    coalesce(versions.title_ru, versions.title, versions.title_uz) as title,
    {{ plain_words('coalesce(versions.title_ru, versions.title, versions.title_uz)') }} as title_words,
    versions.connection || ':' || cast(versions.category_id as text) as category_key,
    versions.connection || ':' || cast(versions.seller_id as text) as seller_key,
    versions.orders_count,
    versions.available_quantity,
    versions.reviews_count,
    versions.rating,
    coalesce(prices.sku_count, 0) as sku_count,
    coalesce(prices.is_in_stock, false) as is_in_stock,
    prices.lowest_price_amount,
    prices.highest_price_amount,
    'UZS' as currency,
    spans.gone_at is not null as is_gone,
    spans.gone_at,
    spans.first_seen_at,
    spans.last_changed_at,
    spans.version_count,
    {{ current_moment() }} as built_at
from versions
inner join spans on versions.product_key = spans.product_key
left join prices on versions.product_key = prices.product_key
where versions.living_recency = 1 and spans.first_seen_at is not null
