{#
How often to look at a product: changes seen per day it was watched, drawn towards the average while little is known
(one expected change and its time are added). The crawl visits first where a change has most likely waited:
1 - exp(-changes_per_day × days since last_seen_at). Ids that are gone are worth a tenth of a living one.
#}
with horizon as (
    select connection, max(observed_at) as as_of from {{ ref('crawl_visits') }}
    group by connection
),

last_visits as (
    select connection, id_block, first_id, last_id, max(observed_at) as observed_at
    from {{ ref('crawl_visits') }}
    group by connection, id_block, first_id, last_id
),

visited as (
    select products.product_key, max(last_visits.observed_at) as last_seen_at
    from {{ ref('market_products') }} as products
    inner join last_visits
        on
            products.connection = last_visits.connection
            and cast(floor(products.product_id / 1000.0) as bigint) = last_visits.id_block
            and products.product_id between last_visits.first_id and last_visits.last_id
    group by products.product_key
),

watched as (
    select
        products.product_key,
        products.connection,
        products.product_id,
        products.is_gone,
        products.version_count - 1 as changes_seen,
        greatest(products.last_changed_at, visited.last_seen_at) as last_seen_at,
        {{ days_between('greatest(products.last_changed_at, visited.last_seen_at)', 'products.first_seen_at') }} as days_watched
    from {{ ref('market_products') }} as products
    left join visited on products.product_key = visited.product_key
),

average as (
    select connection, greatest(sum(changes_seen) / nullif(sum(days_watched), 0), 0.01) as changes_per_day
    from watched
    where not is_gone
    group by connection
),

rated as (
    select
        watched.*,
        (watched.changes_seen + 1.0) / (watched.days_watched + 1.0 / coalesce(average.changes_per_day, 0.1))
        * case when watched.is_gone then 0.1 else 1.0 end as changes_per_day,
        {{ days_between('greatest(horizon.as_of, watched.last_seen_at)', 'watched.last_seen_at') }} as days_since_visit
    from watched
    left join average on watched.connection = average.connection
    left join horizon on watched.connection = horizon.connection
),

expected as (
    select
        rated.*,
        1 - exp(-cast(changes_per_day * (coalesce(days_since_visit, 0) + 1) as double precision)) as chance
    from rated
)

select
    product_key,
    'uzum' as source,
    connection,
    product_id,
    is_gone,
    {{ whole('changes_seen') }} as changes_seen,
    days_watched,
    last_seen_at,
    cast(changes_per_day as numeric(18, 6)) as changes_per_day,
    cast(chance as numeric(9, 6)) as expected_change,
    row_number() over (partition by connection order by chance desc, product_id asc) as visit_order
from expected
