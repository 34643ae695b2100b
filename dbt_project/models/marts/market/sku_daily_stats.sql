{#
Each SKU on the days on which its product changed: prices, stock, and its share of the product's sales. What the
product's counter says was sold is divided by how far each SKU's stock fell; a product with one SKU needs no division.
Between two rows of a SKU nothing changed. Days from the earliest new version on are made anew.
#}
{{ config(materialized='incremental', unique_key='sku_day_key', indexes=indexes(['sku_day_key', 'built_at'])) }}

with touched as (
    select windows.product_key, min(windows.to_date) as since
    from {{ ref('sales_windows') }} as windows
    where {{ is_new_for('windows') }}
    group by windows.product_key
),

changes as (
    select
        changes.*,
        windows.window_days,
        windows.units_sold as product_units,
        windows.units_high as product_units_high,
        windows.stock_units as product_stock_units,
        count(*) over (partition by changes.product_version_key) as sku_count,
        row_number() over (
            partition by changes.product_key, changes.sku_key, changes.observed_date
            order by changes.observed_at desc, changes.sku_version_key desc
        ) as recency
    from {{ ref('sku_stock_changes') }} as changes
    inner join touched on changes.product_key = touched.product_key
    inner join {{ ref('sales_windows') }} as windows on changes.product_version_key = windows.product_version_key
    where changes.observed_date >= touched.since
),

divided as (
    select
        changes.*,
        case
            when sku_count = 1 or product_units = 0 then cast(product_units as numeric(24, 6))
            when product_stock_units > 0
                then {{ ratio(product('product_units', 'sold_from_stock'), 'product_stock_units', scale=6) }}
        end as sku_units
    from changes
)

select
    product_key || '/' || sku_key || ':' || cast(observed_date as text) as sku_day_key,
    sku_key,
    product_key,
    connection,
    observed_date as stats_date,
    max(case when recency = 1 then price_amount end) as price_amount,
    max(case when recency = 1 then full_price_amount end) as full_price_amount,
    min(price_amount) as lowest_price_amount,
    max(price_amount) as highest_price_amount,
    currency,
    max(case when recency = 1 then available_quantity end) as closing_quantity,
    {{ whole('sum(sold_from_stock)') }} as sold_from_stock,
    {{ whole('sum(restocked_quantity)') }} as restocked_quantity,
    max(window_days) as window_days,
    cast(
        case when bool_or(sku_units is null or window_days > 1 and sku_units > 0) then null else sum(sku_units) end
        as numeric(18, 2)
    ) as units_sold,
    {{ whole('case when max(window_days) <= 1 then sum(sold_from_stock) else 0 end') }} as units_low,
    {{ whole('sum(product_units_high)') }} as units_high,
    {{ money(
        'case when bool_or(sku_units is null or window_days > 1 and sku_units > 0) then null '
        ~ 'else sum(' ~ product('price_amount', 'sku_units') ~ ') end'
    ) }}
        as revenue_amount,
    {{ current_moment() }} as built_at
from divided
group by sku_key, product_key, connection, observed_date, currency
