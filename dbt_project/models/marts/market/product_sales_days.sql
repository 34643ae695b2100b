{#
Sales windows laid on calendar days (Tashkent). A window of at most one day counts on its last day, exactly. A longer
one is spread as an interval only: each of its days gets 0 to all of its units, and no point value. Days that no
window touches are not here: product_daily_sales fills them in.
#}
{{ config(
    materialized='incremental', unique_key='product_version_key',
    indexes=indexes(['product_version_key', 'built_at', 'sales_date'])
) }}

with windows as (
    select * from {{ ref('sales_windows') }} as windows
    where {{ is_new_for('windows') }} and not windows.is_first_sight
)

select
    windows.product_version_key,
    windows.product_version_key || ':' || cast(dates.day as text) as product_sales_day_key,
    windows.product_key,
    windows.connection,
    windows.category_key,
    windows.seller_key,
    dates.day as sales_date,
    windows.window_days > 1 as is_spread,
    windows.window_days,
    windows.method,
    windows.units_sold as window_units,
    case when windows.window_days <= 1 then windows.units_sold end as units_sold,
    case when windows.window_days <= 1 then windows.units_low else 0 end as units_low,
    windows.units_high,
    case when windows.window_days <= 1 then windows.orders_units end as orders_units,
    case when windows.window_days <= 1 then windows.stock_units end as stock_units,
    case when windows.window_days <= 1 then windows.stock_units_high end as stock_units_high,
    case when windows.window_days <= 1 then windows.restocked_units end as restocked_units,
    windows.is_capped,
    windows.is_counter_reset,
    {{ money(product('windows.unit_price_amount', 'windows.units_sold')) }} as window_revenue_amount,
    {{ money('case when windows.window_days <= 1 then ' ~ product('windows.unit_price_amount', 'windows.units_sold') ~ ' end') }}
        as revenue_amount,
    {{ money(product('windows.lowest_price_amount', 'case when windows.window_days <= 1 then windows.units_low else 0 end')) }}
        as revenue_low_amount,
    {{ money(product('windows.highest_price_amount', 'windows.units_high')) }} as revenue_high_amount,
    windows.currency,
    {{ current_moment() }} as built_at
from windows
cross join
    lateral
    {{ each_day(
        'case when windows.window_days <= 1 then windows.to_date else windows.from_date + 1 end', 'windows.to_date', 'dates'
    ) }}
