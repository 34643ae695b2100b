{#
Change points: one row per SKU for each stretch of time in which its prices stood. A SKU that vanished has no row
for the time it was away; a missing price is a stretch of its own. All stretches of a touched product are made anew.
#}
{{ config(materialized='incremental', unique_key='product_key', indexes=indexes(['product_key', 'built_at'])) }}

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
        lag(versions.version_number) over (partition by skus.sku_key order by versions.version_number) as previous_number,
        lag(skus.price_amount) over (partition by skus.sku_key order by versions.version_number) as previous_price,
        lag(skus.full_price_amount) over (partition by skus.sku_key order by versions.version_number) as previous_full_price
    from {{ ref('stg_uzum__skus') }} as skus
    inner join versions on skus.product_version_key = versions.product_version_key
),

marked as (
    select
        sightings.*,
        previous_number < version_number - 1 as is_return,
        case
            when
                previous_number = version_number - 1
                and coalesce(price_amount, -1) = coalesce(previous_price, -1)
                and coalesce(full_price_amount, -1) = coalesce(previous_full_price, -1)
                then 0
            else 1
        end as is_start
    from sightings
),

numbered as (
    select
        marked.*,
        sum(is_start) over (partition by sku_key order by version_number) as stretch
    from marked
)

select
    sku_key || ':' || cast(stretch as text) as price_key,
    sku_key,
    product_key,
    connection,
    {{ whole('stretch') }} as change_number,
    max(price_amount) as price_amount,
    max(full_price_amount) as full_price_amount,
    {{ ratio('max(full_price_amount) - max(price_amount)', 'max(full_price_amount)', 100) }} as discount_percent,
    currency,
    min(landed_at) as valid_from,
    case when bool_or(next_at is null) then null else max(next_at) end as valid_to,
    bool_or(next_at is null) as is_current,
    coalesce(bool_or(is_return and is_start = 1), false) as is_return,
    {{ current_moment() }} as built_at
from numbered
group by sku_key, product_key, connection, currency, stretch
