{{ config(materialized='incremental', unique_key='seller_key', indexes=indexes(['seller_key', 'built_at'])) }}

with touched as (
    select distinct seller_key from {{ ref('stg_uzum__sellers') }} as versions
    where {{ is_new_for('versions') }}
),

versions as (
    select
        versions.*,
        row_number() over (
            partition by versions.seller_key order by versions.landed_at desc, versions.load_id desc
        ) as recency,
        min(versions.landed_at) over (partition by versions.seller_key) as first_seen_at
    from {{ ref('stg_uzum__sellers') }} as versions
    inner join touched on versions.seller_key = touched.seller_key
)

select
    seller_key,
    connection,
    seller_id,
    name,
    link,
    rating,
    reviews_count,
    orders_count,
    is_official,
    registered_at,
    first_seen_at,
    {{ current_moment() }} as built_at
from versions
where recency = 1
