{#
The category tree of Uzum joined with the chains that products carry: the deepest leaves occur only there
(dossier §1.5). The newest word on a category's title and parent counts.
#}
with recursive chain_nodes as (
    select connection, category_key, parent_category_key as parent_key, title, landed_at
    from {{ ref('stg_uzum__product_categories') }}
),

tree_nodes as (
    select
        categories.connection,
        categories.category_key,
        categories.connection || ':' || {{ json_text('step.value') }} as parent_key,
        categories.title,
        categories.landed_at
    from {{ ref('stg_uzum__categories') }} as categories
    left join lateral {{ json_elements('categories.path_ids', 'step') }}
        on step.position = {{ json_length('categories.path_ids') }} - 1 and {{ json_text('step.value') }} <> '1'
    where not categories.is_deleted
),

nodes as (
    select distinct on (category_key)
        category_key,
        connection,
        parent_key,
        title
    from (
        select * from chain_nodes
        union all
        select * from tree_nodes
    ) as found
    order by category_key asc, landed_at desc, parent_key asc nulls last
),

walk as (
    select category_key, connection, title, parent_key, 1 as depth, title as path, category_key as root_key
    from nodes
    where parent_key is null or parent_key not in (select known.category_key from nodes as known)
    union all
    select
        nodes.category_key,
        nodes.connection,
        nodes.title,
        nodes.parent_key,
        walk.depth + 1 as depth,
        walk.path || ' / ' || nodes.title as path,
        walk.root_key
    from nodes
    inner join walk on nodes.parent_key = walk.category_key
    where walk.depth < 12
)

select
    category_key,
    connection,
    title,
    parent_key,
    root_key,
    cast(depth as integer) as depth,
    path
from walk
