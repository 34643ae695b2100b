{#
Each SKU as it was last seen; is_listed tells whether it is in the newest version of its product. A SKU that two products
show belongs to the one that showed it last.
#}
{{ config(materialized='incremental', unique_key='sku_key', indexes=indexes(['sku_key', 'product_key', 'built_at'])) }}

with touched as (
    select distinct product_key from {{ ref('stg_uzum__products') }} as versions
    where {{ is_new_for('versions') }}
),

touched_skus as (
    select distinct skus.sku_key from {{ ref('stg_uzum__skus') }} as skus
    inner join touched on skus.product_key = touched.product_key
),

skus as (
    select distinct on (skus.sku_key) skus.*
    from {{ ref('stg_uzum__skus') }} as skus
    inner join touched_skus on skus.sku_key = touched_skus.sku_key
    order by skus.sku_key asc, skus.landed_at desc, skus.load_id desc, skus.product_key desc
),

newest as (
    select distinct on (versions.product_key)
        versions.product_key,
        versions.product_version_key,
        versions.is_deleted
    from {{ ref('stg_uzum__products') }} as versions
    where versions.product_key in (select skus.product_key from skus)
    order by versions.product_key asc, versions.landed_at desc, versions.load_id desc
),

options as (
    select
        options.sku_key,
        string_agg(options.option_name || ': ' || options.option_value, ', ' order by options.position) as option_text
    from {{ ref('stg_uzum__sku_options') }} as options
    inner join skus on options.sku_key = skus.sku_key and options.product_key = skus.product_key
    group by options.sku_key
)

select
    skus.sku_key,
    skus.product_key,
    skus.connection,
    skus.sku_id,
    options.option_text,
    skus.full_price_amount,
    skus.price_amount,
    skus.currency,
    skus.available_quantity,
    skus.stock_type,
    skus.barcode,
    coalesce(skus.product_version_key = newest.product_version_key and not newest.is_deleted, false) as is_listed,
    skus.landed_at as last_changed_at,
    {{ current_moment() }} as built_at
from skus
left join newest on skus.product_key = newest.product_key
left join options on skus.sku_key = options.sku_key
