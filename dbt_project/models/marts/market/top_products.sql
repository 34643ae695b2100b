{# The hundred best products of every category (descendants included) by revenue over the last 7 and 30 days. #}
{% set best_first = "order by revenue_amount desc, units_sold desc, product_key asc" %}

with sold as (
    {% for days in [7, 30] %}
    select
        category_key,
        product_key,
        connection,
        seller_key,
        as_of_date,
        cast({{ days }} as integer) as period_days,
        units_{{ days }}d as units_sold,
        units_low_{{ days }}d as units_low,
        units_high_{{ days }}d as units_high,
        revenue_{{ days }}d_amount as revenue_amount,
        currency
    from {{ ref('product_rollups') }}
    where units_{{ days }}d > 0
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

{# What is not among the best of its own category is not among the best of one above. #}
best_of_leaf as (
    select sold.*, row_number() over (partition by category_key, period_days {{ best_first }}) as leaf_position from sold
),

candidates as (
    select
        ancestors.ancestor_key as category_key,
        leaf.product_key,
        leaf.connection,
        leaf.seller_key,
        leaf.as_of_date,
        leaf.period_days,
        leaf.units_sold,
        leaf.units_low,
        leaf.units_high,
        leaf.revenue_amount,
        leaf.currency
    from best_of_leaf as leaf
    inner join {{ ref('market_category_ancestors') }} as ancestors on leaf.category_key = ancestors.category_key
    where leaf.leaf_position <= 100
),

ranked as (
    select candidates.*, row_number() over (partition by category_key, period_days {{ best_first }}) as position
    from candidates
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
