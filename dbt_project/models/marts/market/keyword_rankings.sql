{# Where products stood for a search query, per day: the best place of the day and the step from the day before. #}
with days as (
    select
        product_key,
        connection,
        query,
        sort,
        {{ local_date('landed_at') }} as ranking_date,
        min(position) as position,
        max(total_count) as total_count
    from {{ ref('stg_uzum__keyword_positions') }}
    where not is_deleted and position is not null
    group by product_key, connection, query, sort, {{ local_date('landed_at') }}
)

select
    product_key || ':' || coalesce(sort, '') || ':' || cast(ranking_date as text) || ':' || query as keyword_ranking_key,
    product_key,
    connection,
    query,
    sort,
    ranking_date,
    {{ whole('position') }} as position,
    {{ whole('lag(position) over (partition by product_key, query, sort order by ranking_date) - position') }} as places_gained,
    {{ whole('total_count') }} as total_count
from days
