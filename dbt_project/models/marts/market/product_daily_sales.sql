{#
What is known about each product on each day since it was first seen. A view: days without a change cost no storage.
  first_sight  the day the product was first seen: what it sold before cannot be dated
  known        units are exact (the counter stood still, or was read on this day and the day before)
  spread       sold in a longer gap between visits: this day's share lies between units_low and units_high
  unknown      the counter fell and stock cannot tell, nobody has looked since, or it is gone: not zero
#}
{{ config(materialized='view') }}

with products as (
    select
        product_key,
        connection,
        product_id,
        currency,
        gone_at,
        {{ local_date('first_seen_at') }} as first_date
    from {{ ref('market_products') }}
),

visit_days as (
    select connection, id_block, first_id, last_id, visit_date, min(observed_at) as observed_at
    from {{ ref('crawl_visits') }}
    group by connection, id_block, first_id, last_id, visit_date
),

seen_days as (
    select products.product_key, visit_days.visit_date as seen_date
    from products
    inner join visit_days
        on
            products.connection = visit_days.connection
            and cast(floor(products.product_id / 1000.0) as bigint) = visit_days.id_block
            and products.product_id between visit_days.first_id and visit_days.last_id
            and (products.gone_at is null or products.gone_at > visit_days.observed_at)
    union
    select product_key, to_date as seen_date
    from {{ ref('sales_windows') }}
),

last_days as (
    select product_key, max(seen_date) as last_date
    from seen_days
    group by product_key
),

horizon as (
    select products.connection, max(last_days.last_date) as last_date
    from last_days
    inner join products on last_days.product_key = products.product_key
    group by products.connection
),

calendar as (
    select
        products.product_key,
        products.connection,
        products.product_id,
        products.currency,
        products.first_date,
        last_days.last_date,
        dates.day as sales_date
    from products
    inner join last_days on products.product_key = last_days.product_key
    inner join horizon on products.connection = horizon.connection
    cross join lateral {{ each_day('products.first_date', 'horizon.last_date', 'dates') }}
),

facts as (
    select
        product_key as sold_product_key,
        sales_date as sold_date,
        sum(units_sold) as units_sold,
        sum(units_low) as units_low,
        case when bool_or(units_high is null) then null else sum(units_high) end as units_high,
        sum(orders_units) as orders_units,
        sum(stock_units) as stock_units,
        case when bool_or(stock_units_high is null) then null else sum(stock_units_high) end as stock_units_high,
        sum(restocked_units) as restocked_units,
        bool_or(is_capped) as is_capped,
        bool_or(is_counter_reset) as is_counter_reset,
        bool_or(is_spread and window_units > 0) as is_spread,
        bool_or(window_units is null) as is_unknown,
        bool_or(method = 'stock') as is_from_stock,
        sum(revenue_amount) as revenue_amount,
        bool_or(window_units > 0 and window_revenue_amount is null) as is_unpriced,
        sum(revenue_low_amount) as revenue_low_amount,
        case when bool_or(revenue_high_amount is null) then null else sum(revenue_high_amount) end as revenue_high_amount
    from {{ ref('product_sales_days') }}
    group by product_key, sales_date
),

judged as (
    select
        calendar.product_key,
        calendar.connection,
        calendar.product_id,
        calendar.sales_date,
        calendar.currency,
        facts.*,
        seen_days.seen_date is not null as is_observed,
        case
            when calendar.sales_date > calendar.last_date or facts.is_unknown then 'unknown'
            when facts.is_spread then 'spread'
            when calendar.sales_date = calendar.first_date and facts.sold_date is null then 'first_sight'
            else 'known'
        end as state
    from calendar
    left join facts on calendar.product_key = facts.sold_product_key and calendar.sales_date = facts.sold_date
    left join seen_days on calendar.product_key = seen_days.product_key and calendar.sales_date = seen_days.seen_date
)

select
    product_key || ':' || cast(sales_date as text) as product_day_key,
    product_key,
    connection,
    product_id,
    sales_date,
    state,
    case
        when state in ('unknown', 'first_sight') then 'none'
        when is_from_stock then 'stock'
        when sold_date is null then 'counter_stood_still'
        else 'orders'
    end as method,
    is_observed,
    {{ whole("case when state = 'known' then coalesce(units_sold, 0) end") }} as units_sold,
    {{ whole("case when state = 'first_sight' then null else coalesce(units_low, 0) end") }} as units_low,
    {{ whole("case when state = 'known' and sold_date is null then 0 when state in ('known', 'spread') then units_high end") }}
        as units_high,
    {{ whole("case when state = 'known' and sold_date is null then 0 when state = 'known' then orders_units end") }}
        as orders_units,
    {{ whole("case when state = 'known' and sold_date is null then 0 when state = 'known' then stock_units end") }}
        as stock_units,
    {{ whole("case when state = 'known' then coalesce(stock_units_high, case when sold_date is null then 0 end) end") }}
        as stock_units_high,
    {{ whole("case when state = 'known' then coalesce(restocked_units, 0) end") }} as restocked_units,
    coalesce(is_capped, false) as is_capped,
    coalesce(is_counter_reset, false) as is_counter_reset,
    {{ money("case when state = 'known' and not coalesce(is_unpriced, false) then coalesce(revenue_amount, 0) end") }}
        as revenue_amount,
    {{ money("case when state = 'first_sight' then null else coalesce(revenue_low_amount, 0) end") }} as revenue_low_amount,
    {{ money("case when state = 'known' and sold_date is null then 0 when state <> 'unknown' then revenue_high_amount end") }}
        as revenue_high_amount,
    currency
from judged
