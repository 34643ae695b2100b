{# Sellers by revenue over the last 7, 30 and 90 days, in the whole market and in each category at the top of the tree. #}
with sales as (
    select
        rollups.connection,
        rollups.seller_key,
        rollups.currency,
        rollups.as_of_date,
        categories.root_key,
        {% for days in [7, 30, 90] %}
        count(*) filter (where rollups.units_{{ days }}d > 0) as products_with_sales_{{ days }}d,
        sum(rollups.units_{{ days }}d) as units_{{ days }}d,
        sum(rollups.units_low_{{ days }}d) as units_low_{{ days }}d,
        case when bool_or(rollups.units_high_{{ days }}d is null) then null else sum(rollups.units_high_{{ days }}d) end
            as units_high_{{ days }}d,
        sum(rollups.revenue_{{ days }}d_amount) as revenue_{{ days }}d_amount,
        {% endfor %}
        count(*) as product_count
    from {{ ref('product_rollups') }} as rollups
    left join {{ ref('market_categories') }} as categories on rollups.category_key = categories.category_key
    where rollups.seller_key is not null
    group by rollups.connection, rollups.seller_key, rollups.currency, rollups.as_of_date, categories.root_key
),

scoped as (
    {% for days in [7, 30, 90] %}
    {% for scope in ["'all'", 'root_key'] %}
    select
        {{ scope }} as scope_key,
        connection,
        seller_key,
        currency,
        as_of_date,
        cast({{ days }} as integer) as period_days,
        {{ whole('sum(product_count)') }} as product_count,
        {{ whole('sum(products_with_sales_' ~ days ~ 'd)') }} as products_with_sales,
        sum(units_{{ days }}d) as units_sold,
        sum(units_low_{{ days }}d) as units_low,
        case when bool_or(units_high_{{ days }}d is null) then null else sum(units_high_{{ days }}d) end as units_high,
        sum(revenue_{{ days }}d_amount) as revenue_amount
    from sales
    where {{ scope }} is not null
    group by {% if scope == 'root_key' %}root_key, {% endif %}connection, seller_key, currency, as_of_date
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

ranked as (
    select
        scoped.*,
        rank() over (
            partition by connection, scope_key, period_days, currency order by revenue_amount desc, units_sold desc
        ) as position,
        sum(revenue_amount) over (partition by connection, scope_key, period_days, currency) as total_revenue_amount
    from scoped
)

select
    ranked.seller_key || ':' || ranked.scope_key || ':' || cast(ranked.period_days as text) as seller_ranking_key,
    ranked.seller_key,
    ranked.connection,
    sellers.name as seller_name,
    ranked.scope_key,
    ranked.period_days,
    ranked.as_of_date,
    ranked.position,
    ranked.product_count,
    ranked.products_with_sales,
    cast(ranked.units_sold as numeric(18, 2)) as units_sold,
    {{ whole('ranked.units_low') }} as units_low,
    {{ whole('ranked.units_high') }} as units_high,
    {{ money('ranked.revenue_amount') }} as revenue_amount,
    ranked.currency,
    {{ ratio('ranked.revenue_amount', 'ranked.total_revenue_amount', 100) }} as share_percent
from ranked
left join {{ ref('market_sellers') }} as sellers on ranked.seller_key = sellers.seller_key
