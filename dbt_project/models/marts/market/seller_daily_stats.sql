{#
Sales of each seller per day, of the products that sold or may have sold. Exact units are those dated to the day;
units_high adds what gaps between visits leave open. Days that new windows touch are made anew.
#}
{{ config(materialized='incremental', unique_key='stats_date', indexes=indexes(['stats_date', 'built_at'])) }}

with touched as (
    {{ touched_sales_dates() }}
),

facts as (
    select facts.* from {{ ref('product_sales_days') }} as facts
    inner join touched on facts.sales_date = touched.sales_date
    where facts.seller_key is not null
)

select
    seller_key || ':' || cast(sales_date as text) || ':' || coalesce(currency, '-') as seller_day_key,
    seller_key,
    connection,
    sales_date as stats_date,
    count(distinct case when units_sold > 0 then product_key end) as products_with_sales,
    {{ whole('coalesce(sum(units_sold), 0)') }} as units_sold,
    {{ whole('coalesce(sum(units_low), 0)') }} as units_low,
    {{ whole('case when bool_or(units_high is null) then null else sum(units_high) end') }} as units_high,
    {{ money('coalesce(sum(revenue_amount), 0)') }} as revenue_amount,
    {{ money('coalesce(sum(revenue_low_amount), 0)') }} as revenue_low_amount,
    {{ money('case when bool_or(revenue_high_amount is null) then null else sum(revenue_high_amount) end') }}
        as revenue_high_amount,
    {{ whole('coalesce(sum(case when revenue_amount is null then units_sold end), 0)') }} as unpriced_units,
    {{ ratio('coalesce(sum(revenue_amount), 0)', 'sum(case when revenue_amount is not null then units_sold end)') }}
        as average_price_amount,
    currency,
    {{ current_moment() }} as built_at
from facts
group by seller_key, connection, sales_date, currency
