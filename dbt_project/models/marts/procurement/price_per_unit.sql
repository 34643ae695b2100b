{#
What one unit cost, per product code (or, without one, the same words), unit of measure and month. Prices in
different units or currencies are never compared.
#}
with items as (
    select
        deal_items.*,
        cast(date_trunc('month', deal_date) as date) as deal_month,
        coalesce(lower(unit_name), '?') as unit
    from {{ ref('deal_items') }} as deal_items
    where is_award and not is_announced_price and unit_price_amount > 0 and product_group is not null and deal_date is not null
),

months as (
    select
        connection,
        product_group,
        unit,
        currency,
        deal_month,
        max(product_name) as product_name,
        max(category_name) as category_name,
        count(*) as item_count,
        sum(quantity) as quantity,
        min(unit_price_amount) as lowest_price_amount,
        {{ median('unit_price_amount') }} as median_price_amount,
        max(unit_price_amount) as highest_price_amount
    from items
    group by connection, product_group, unit, currency, deal_month
)

select
    connection || ':' || product_group || ':' || unit || ':' || currency || ':' || cast(deal_month as text) as unit_price_key,
    connection,
    product_group,
    product_name,
    category_name,
    unit as unit_name,
    deal_month,
    item_count,
    cast(quantity as numeric(38, 4)) as quantity,
    {{ money('lowest_price_amount') }} as lowest_price_amount,
    {{ money('median_price_amount') }} as median_price_amount,
    {{ money('highest_price_amount') }} as highest_price_amount,
    currency,
    {{ ratio(
        'median_price_amount - lag(median_price_amount)'
        ~ ' over (partition by connection, product_group, unit, currency order by deal_month)',
        'lag(median_price_amount) over (partition by connection, product_group, unit, currency order by deal_month)', 100
    ) }} as change_percent
from months
