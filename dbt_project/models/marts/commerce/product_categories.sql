with products as (
    select * from {{ ref('stg_plytix__products') }}
    where not is_deleted
),

categories as (
    select * from {{ ref('categories') }}
),

links as (
    select distinct
        items.root_key as product_key,
        products.connection || ':' || {{ json_text('category.value') }} as category_key
    from products
    inner join {{ ref('catalogue_items') }} as items on products.product_key = items.product_key
    cross join lateral {{ json_elements('products.category_ids', 'category') }}
    where items.product_key = items.root_key
),

{# The deepest category says most about a product; the tree's own order decides between equals. #}
ranked as (
    select
        links.product_key,
        links.category_key,
        categories.name as category_name,
        categories.path,
        categories.depth,
        row_number() over (
            partition by links.product_key
            order by categories.depth desc, categories.sort_order asc, categories.path asc, links.category_key asc
        ) as position
    from links
    inner join categories on links.category_key = categories.category_key
)

select
    product_key || ':' || category_key as product_category_key,
    product_key,
    category_key,
    category_name,
    path,
    depth,
    position,
    position = 1 as is_main
from ranked
