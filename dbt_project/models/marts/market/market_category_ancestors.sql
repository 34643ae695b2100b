{# Every category with each of its ancestors and itself: what a roll-up joins. #}
with recursive walk as (
    select category_key, connection, category_key as ancestor_key, parent_key, 0 as distance
    from {{ ref('market_categories') }}
    union all
    select
        walk.category_key, walk.connection, categories.category_key as ancestor_key, categories.parent_key,
        walk.distance + 1 as distance
    from walk
    inner join {{ ref('market_categories') }} as categories on walk.parent_key = categories.category_key
    where walk.distance < 12
)

select
    category_key || '>' || ancestor_key as category_ancestor_key,
    category_key,
    ancestor_key,
    connection,
    cast(distance as integer) as distance
from walk
