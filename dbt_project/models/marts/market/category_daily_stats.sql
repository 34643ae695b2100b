{#
Sales of each category per day, rolled up on every ancestor: a sale counts once in its leaf and once in each
category above. Shares are of the parent's and of the whole market's exact revenue. Days that new windows touch are made anew.
#}
{{ config(materialized='incremental', unique_key='stats_date', indexes=indexes(['stats_date', 'built_at'])) }}

with touched as (
    {{ touched_sales_dates() }}
),

facts as (
    select
        facts.product_key,
        facts.connection,
        facts.category_key,
        facts.seller_key,
        facts.sales_date,
        facts.currency,
        sum(facts.units_sold) as units_sold,
        sum(facts.units_low) as units_low,
        case when bool_or(facts.units_high is null) then null else sum(facts.units_high) end as units_high,
        bool_or(facts.units_high is null) as is_unbounded,
        sum(facts.revenue_amount) as revenue_amount
    from {{ ref('product_sales_days') }} as facts
    inner join touched on facts.sales_date = touched.sales_date
    group by
        facts.product_key, facts.connection, facts.category_key, facts.seller_key, facts.sales_date, facts.currency
),

rolled_up as (
    select
        ancestors.ancestor_key as category_key,
        facts.connection,
        facts.sales_date,
        facts.currency,
        count(*) filter (where facts.units_sold > 0) as products_with_sales,
        count(distinct case when facts.units_sold > 0 then facts.seller_key end) as sellers_with_sales,
        coalesce(sum(facts.units_sold), 0) as units_sold,
        coalesce(sum(facts.units_low), 0) as units_low,
        case when bool_or(facts.is_unbounded) then null else sum(facts.units_high) end as units_high,
        coalesce(sum(facts.revenue_amount), 0) as revenue_amount,
        {{ median('case when facts.units_sold > 0 then ' ~ ratio('facts.revenue_amount', 'facts.units_sold', scale=2) ~ ' end') }}
            as median_price_amount
    from facts
    inner join {{ ref('market_category_ancestors') }} as ancestors on facts.category_key = ancestors.category_key
    group by ancestors.ancestor_key, facts.connection, facts.sales_date, facts.currency
),

totals as (
    select connection, sales_date, currency, sum(revenue_amount) as revenue_amount
    from facts
    group by connection, sales_date, currency
)

select
    rolled_up.category_key || ':' || cast(rolled_up.sales_date as text) || ':' || coalesce(rolled_up.currency, '-')
        as category_day_key,
    rolled_up.category_key,
    rolled_up.connection,
    rolled_up.sales_date as stats_date,
    rolled_up.products_with_sales,
    rolled_up.sellers_with_sales,
    {{ whole('rolled_up.units_sold') }} as units_sold,
    {{ whole('rolled_up.units_low') }} as units_low,
    {{ whole('rolled_up.units_high') }} as units_high,
    {{ money('rolled_up.revenue_amount') }} as revenue_amount,
    rolled_up.currency,
    {{ money('rolled_up.median_price_amount') }} as median_price_amount,
    {{ ratio('rolled_up.revenue_amount', 'rolled_up.units_sold', scale=2) }} as average_bill_amount,
    {{ ratio('rolled_up.units_sold', 'rolled_up.products_with_sales') }} as units_per_product,
    {{ ratio('rolled_up.units_sold', 'rolled_up.sellers_with_sales') }} as units_per_seller,
    {{ ratio('rolled_up.revenue_amount', 'coalesce(parent.revenue_amount, totals.revenue_amount)', 100) }}
        as share_of_parent_percent,
    {{ ratio('rolled_up.revenue_amount', 'totals.revenue_amount', 100) }} as share_of_market_percent,
    {{ current_moment() }} as built_at
from rolled_up
inner join {{ ref('market_categories') }} as categories on rolled_up.category_key = categories.category_key
left join rolled_up as parent
    on
        categories.parent_key = parent.category_key
        and rolled_up.sales_date = parent.sales_date
        and rolled_up.currency = parent.currency
inner join totals
    on
        rolled_up.connection = totals.connection
        and rolled_up.sales_date = totals.sales_date
        and rolled_up.currency = totals.currency
