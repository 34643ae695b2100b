{# The hundred best products of every category (descendants included) by revenue over the last 7 and 30 days. #}
with ranked as (
    {% for days in [7, 30] %}
    select
        ancestors.ancestor_key as category_key,
        rollups.product_key,
        rollups.connection,
        rollups.seller_key,
        rollups.as_of_date,
        cast({{ days }} as integer) as period_days,
        rollups.units_{{ days }}d as units_sold,
        rollups.units_low_{{ days }}d as units_low,
        rollups.units_high_{{ days }}d as units_high,
        rollups.revenue_{{ days }}d_amount as revenue_amount,
        rollups.currency,
        row_number() over (
            partition by ancestors.ancestor_key
            order by rollups.revenue_{{ days }}d_amount desc, rollups.units_{{ days }}d desc, rollups.product_key asc
        ) as position
    from {{ ref('product_rollups') }} as rollups
    inner join {{ ref('market_category_ancestors') }} as ancestors on rollups.category_key = ancestors.category_key
    where rollups.units_{{ days }}d > 0
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    ranked.category_key || ':' || cast(ranked.period_days as text) || ':' || cast(ranked.position as text) as top_product_key,
    ranked.category_key,
    ranked.period_days,
    ranked.position,
    ranked.product_key,
    ranked.connection,
    products.title,
    ranked.seller_key,
    ranked.as_of_date,
    ranked.units_sold,
    ranked.units_low,
    ranked.units_high,
    ranked.revenue_amount,
    ranked.currency,
    products.rating,
    products.reviews_count
from ranked
inner join {{ ref('market_products') }} as products on ranked.product_key = products.product_key
where ranked.position <= 100
