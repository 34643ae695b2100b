with categories as (
    select * from {{ ref('stg_plytix__categories') }}
    where not is_deleted
),

parent_links as (
    select
        categories.category_key,
        parent.position,
        categories.connection || ':' || {{ json_text('parent.value') }} as parent_key
    from categories
    cross join lateral {{ json_elements('categories.parents_ids', 'parent') }}
    where {{ json_text('parent.value') }} <> categories.category_id
),

parents as (
    select
        parent_links.category_key,
        count(*) as parent_count,
        string_agg(coalesce(parent.name, '?'), ' / ' order by parent_links.position) as parent_path,
        max(parent_links.position) as last_position
    from parent_links
    left join categories as parent on parent_links.parent_key = parent.category_key
    group by parent_links.category_key
),

with_children as (
    select distinct parent_key from parent_links
)

select
    categories.category_key,
    categories.connection,
    categories.category_id,
    categories.name,
    parent_links.parent_key,
    concat_ws(' / ', parents.parent_path, categories.name) as path,
    cast(coalesce(parents.parent_count, 0) + 1 as integer) as depth,
    with_children.parent_key is null as is_leaf,
    categories.sort_order
from categories
left join parents on categories.category_key = parents.category_key
left join parent_links
    on parents.category_key = parent_links.category_key and parents.last_position = parent_links.position
left join with_children on categories.category_key = with_children.parent_key
