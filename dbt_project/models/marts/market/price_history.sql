{#
Change points: one row per SKU for each stretch of time in which its prices stood as they were shown. A SKU that vanished has
no row for the time it was away; a missing price is a stretch of its own. All stretches of a touched product are made anew.

A stretch is real when one could buy at its price: it is above zero, the SKU was in stock, and it lies within a factor of
{{ var('price_glitch_factor') }} of what the SKU usually costs (the upper quartile of the prices at which it was in stock). What a shop shows while
sold out (0, 1, a forbidding sum) and a slip of an hour are no prices.
#}
{{ config(materialized='incremental', unique_key='product_key', indexes=indexes(['product_key', 'built_at'])) }}

{% set factor = var('price_glitch_factor') %}
{% set offer = 'partition by skus.product_key, skus.sku_key order by versions.version_number' %}

with touched as (
    select distinct product_key from {{ ref('stg_uzum__products') }} as versions
    where {{ is_new_for('versions') }}
),

versions as (
    select
        versions.product_version_key,
        versions.product_key,
        versions.landed_at,
        row_number() over (
            partition by versions.product_key order by versions.landed_at, versions.load_id
        ) as version_number,
        lead(versions.landed_at) over (
            partition by versions.product_key order by versions.landed_at, versions.load_id
        ) as next_at
    from {{ ref('stg_uzum__products') }} as versions
    inner join touched on versions.product_key = touched.product_key
),

sightings as (
    select
        skus.sku_key,
        skus.product_key,
        skus.connection,
        skus.price_amount,
        skus.full_price_amount,
        skus.currency,
        versions.landed_at,
        versions.next_at,
        versions.version_number,
        skus.price_amount > 0 and coalesce(skus.available_quantity, 1) > 0 as is_offer,
        lag(versions.version_number) over ({{ offer }}) as previous_number,
        lag(skus.price_amount) over ({{ offer }}) as previous_price,
        lag(skus.full_price_amount) over ({{ offer }}) as previous_full_price
    from {{ ref('stg_uzum__skus') }} as skus
    inner join versions on skus.product_version_key = versions.product_version_key
),

usual as (
    select product_key, sku_key, percentile_disc(0.75) within group (order by price_amount) as usual_price_amount
    from sightings
    where is_offer
    group by product_key, sku_key
),

marked as (
    select
        sightings.*,
        coalesce(
            sightings.is_offer
            and {{ product('sightings.price_amount', factor) }} >= usual.usual_price_amount
            and sightings.price_amount <= {{ product('usual.usual_price_amount', factor) }},
            false
        ) as is_real,
        sightings.previous_number < sightings.version_number - 1 as is_return,
        case
            when
                sightings.previous_number = sightings.version_number - 1
                and coalesce(sightings.price_amount, -1) = coalesce(sightings.previous_price, -1)
                and coalesce(sightings.full_price_amount, -1) = coalesce(sightings.previous_full_price, -1)
                then 0
            else 1
        end as is_start
    from sightings
    left join usual on sightings.product_key = usual.product_key and sightings.sku_key = usual.sku_key
),

numbered as (
    select
        marked.*,
        sum(is_start) over (partition by product_key, sku_key order by version_number) as stretch
    from marked
)

select
    product_key || '/' || sku_key || ':' || cast(stretch as text) as price_key,
    sku_key,
    product_key,
    connection,
    {{ whole('stretch') }} as change_number,
    max(price_amount) as price_amount,
    max(full_price_amount) as full_price_amount,
    {{ ratio(
        'case when bool_or(is_real) then max(full_price_amount) - max(price_amount) end', 'max(full_price_amount)', 100
    ) }} as discount_percent,
    currency,
    min(landed_at) as valid_from,
    case when bool_or(next_at is null) then null else max(next_at) end as valid_to,
    bool_or(next_at is null) as is_current,
    coalesce(bool_or(is_return and is_start = 1), false) as is_return,
    bool_or(is_real) as is_real,
    min(case when is_real then landed_at end) as real_from,
    {{ current_moment() }} as built_at
from numbered
group by sku_key, product_key, connection, currency, stretch
