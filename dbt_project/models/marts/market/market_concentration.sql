{#
How few sellers hold a category (descendants included), by revenue of 30 days: the Herfindahl-Hirschman index is the
sum of squared percent shares, 10,000 for one seller alone; above 2,500 a market counts as highly concentrated.
#}
with sales as (
    select
        ancestors.ancestor_key as category_key,
        rollups.connection,
        rollups.seller_key,
        rollups.currency,
        sum(rollups.revenue_30d_amount) as revenue_amount
    from {{ ref('product_rollups') }} as rollups
    inner join {{ ref('market_category_ancestors') }} as ancestors on rollups.category_key = ancestors.category_key
    where rollups.revenue_30d_amount > 0 and rollups.seller_key is not null
    group by ancestors.ancestor_key, rollups.connection, rollups.seller_key, rollups.currency
),

shares as (
    select
        sales.*,
        {{ ratio('revenue_amount', 'sum(revenue_amount) over (partition by category_key, currency)', 100, scale=6) }} as share,
        row_number() over (partition by category_key, currency order by revenue_amount desc, seller_key asc) as position
    from sales
)

select
    category_key || ':' || currency as market_concentration_key,
    category_key,
    connection,
    count(*) as seller_count,
    {{ money('sum(revenue_amount)') }} as revenue_30d_amount,
    currency,
    cast(sum({{ product('share', 'share', scale=6) }}) as numeric(12, 2)) as hhi,
    cast(max(share) as numeric(9, 4)) as top_seller_percent,
    cast(sum(case when position <= 3 then share end) as numeric(9, 4)) as top_3_percent,
    sum({{ product('share', 'share', scale=6) }}) > 2500 as is_concentrated
from shares
group by category_key, connection, currency
