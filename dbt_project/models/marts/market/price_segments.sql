{# Each category (descendants included) cut into five price bands of equal size: what stands there and what sells. #}
with priced as (
    select
        ancestors.ancestor_key as category_key,
        products.connection,
        products.currency,
        products.product_key,
        products.lowest_price_amount as price_amount,
        rollups.units_30d,
        rollups.revenue_30d_amount,
        ntile(5) over (
            partition by ancestors.ancestor_key, products.currency
            order by products.lowest_price_amount, products.product_key
        ) as segment
    from {{ ref('market_products') }} as products
    inner join {{ ref('market_category_ancestors') }} as ancestors on products.category_key = ancestors.category_key
    left join {{ ref('product_rollups') }} as rollups on products.product_key = rollups.product_key
    where not products.is_gone and products.lowest_price_amount is not null
),

segments as (
    select
        category_key,
        connection,
        currency,
        segment,
        min(price_amount) as lowest_price_amount,
        max(price_amount) as highest_price_amount,
        count(*) as product_count,
        count(*) filter (where units_30d > 0) as products_with_sales,
        coalesce(sum(units_30d), 0) as units_30d,
        coalesce(sum(revenue_30d_amount), 0) as revenue_30d_amount
    from priced
    group by category_key, connection, currency, segment
)

select
    category_key || ':' || cast(segment as text) as price_segment_key,
    category_key,
    connection,
    cast(segment as integer) as segment,
    {{ money('lowest_price_amount') }} as lowest_price_amount,
    {{ money('highest_price_amount') }} as highest_price_amount,
    product_count,
    products_with_sales,
    cast(units_30d as numeric(18, 2)) as units_30d,
    {{ money('revenue_30d_amount') }} as revenue_30d_amount,
    currency,
    {{ ratio('units_30d', 'sum(units_30d) over (partition by category_key, currency)', 100) }} as share_of_units_percent
from segments
