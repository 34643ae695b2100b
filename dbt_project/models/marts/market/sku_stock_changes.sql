{#
What became of each SKU's stock from one version of its product to the next. A fall counts as sold, a rise as
restocked; both at once hide each other. Over an absence nothing is concluded. What a shop shows while sold out is no price
(price_history): the last real one stands.
Rows from the earliest new version on are made anew.
#}
{{ config(
    materialized='incremental', unique_key='sku_version_key',
    indexes=indexes(['sku_version_key', 'built_at', 'product_key'])
) }}

{% set offer = 'partition by skus.product_key, skus.sku_key order by versions.version_number' %}

with touched as (
    select versions.product_key, min(versions.landed_at) as since
    from {{ ref('stg_uzum__products') }} as versions
    where {{ is_new_for('versions') }}
    group by versions.product_key
),

versions as (
    select
        versions.product_version_key,
        touched.since,
        row_number() over (
            partition by versions.product_key order by versions.landed_at, versions.load_id
        ) as version_number
    from {{ ref('stg_uzum__products') }} as versions
    inner join touched on versions.product_key = touched.product_key
),

sightings as (
    select
        skus.sku_version_key,
        skus.product_version_key,
        skus.sku_key,
        skus.product_key,
        skus.connection,
        skus.landed_at,
        case when skus.price_amount > 0 and coalesce(skus.available_quantity, 1) > 0 then skus.price_amount end as offer_amount,
        count(*) filter (where skus.price_amount > 0 and coalesce(skus.available_quantity, 1) > 0) over ({{ offer }})
            as offer_number,
        skus.full_price_amount,
        skus.currency,
        skus.available_quantity,
        versions.since,
        versions.version_number,
        lag(versions.version_number) over ({{ offer }}) as previous_number,
        lag(skus.available_quantity) over ({{ offer }}) as previous_quantity
    from {{ ref('stg_uzum__skus') }} as skus
    inner join versions on skus.product_version_key = versions.product_version_key
),

{# Only what came before is asked, so that rows before the new versions stay as they are. #}
offers as (
    select
        product_key,
        sku_key,
        offer_number,
        case
            when
                previous_amount is null or {{ product('offer_amount', var('price_glitch_factor')) }} >= previous_amount
                then offer_amount
        end as real_amount
    from (
        select
            sightings.*,
            lag(offer_amount) over (partition by product_key, sku_key order by offer_number) as previous_amount
        from sightings
        where offer_amount is not null
    ) as steps
),

priced as (
    select
        sightings.*,
        offers.real_amount,
        count(offers.real_amount) over (partition by sightings.product_key, sightings.sku_key order by sightings.version_number)
            as real_number
    from sightings
    left join offers
        on
            sightings.product_key = offers.product_key and sightings.sku_key = offers.sku_key
            and sightings.offer_number = offers.offer_number and sightings.offer_amount is not null
),

carried as (
    select
        priced.*,
        max(real_amount) over (partition by product_key, sku_key, real_number) as price_amount
    from priced
),

stepped as (
    select
        carried.*,
        lag(price_amount) over (partition by product_key, sku_key order by version_number) as previous_price_amount
    from carried
)

select
    sku_version_key,
    product_version_key,
    sku_key,
    product_key,
    connection,
    landed_at as observed_at,
    {{ local_date('landed_at') }} as observed_date,
    price_amount,
    previous_price_amount,
    full_price_amount,
    currency,
    available_quantity,
    case when previous_number = version_number - 1 then previous_quantity end as previous_quantity,
    previous_number is null as is_first_sight,
    coalesce(previous_number < version_number - 1, false) as is_return,
    case when previous_number = version_number - 1 then greatest(previous_quantity - available_quantity, 0) end
        as sold_from_stock,
    case when previous_number = version_number - 1 then greatest(available_quantity - previous_quantity, 0) end
        as restocked_quantity,
    {{ current_moment() }} as built_at
from stepped
where landed_at >= since
