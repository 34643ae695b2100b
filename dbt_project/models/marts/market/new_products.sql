{#
Products first seen in the last 30 days. is_proven_new: a complete visit before that covered the id and did not find
it. Without one the product may be as old as its first crawl.
#}
with horizon as (
    select connection, max(observed_at) as last_at from {{ ref('crawl_visits') }}
    group by connection
),

products as (
    select products.* from {{ ref('market_products') }} as products
    inner join horizon on products.connection = horizon.connection
    where products.first_seen_at > horizon.last_at - interval '30 days'
),

visited_before as (
    select products.product_key, max(visits.observed_at) as absent_at
    from products
    inner join {{ ref('crawl_visits') }} as visits
        on
            products.connection = visits.connection
            and cast(floor(products.product_id / 1000.0) as bigint) = visits.id_block
            and products.product_id between visits.first_id and visits.last_id
            and products.first_seen_at > visits.observed_at
    group by products.product_key
)

select
    products.product_key,
    products.connection,
    products.title,
    products.category_key,
    products.seller_key,
    products.first_seen_at,
    visited_before.absent_at,
    visited_before.product_key is not null as is_proven_new,
    products.lowest_price_amount,
    products.currency,
    coalesce(rollups.units_7d, 0) as units_7d,
    coalesce(rollups.revenue_7d_amount, 0) as revenue_7d_amount,
    products.reviews_count,
    products.rating
from products
left join visited_before on products.product_key = visited_before.product_key
left join {{ ref('product_rollups') }} as rollups on products.product_key = rollups.product_key
