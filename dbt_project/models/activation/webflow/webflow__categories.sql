{# Categories that hold a product of the shop; Webflow's are a flat list, so the tree stays in Plytix. #}
with used as (
    select distinct product_categories.category_key
    from {{ ref('product_categories') }} as product_categories
    inner join {{ ref('product_readiness') }} as readiness on product_categories.product_key = readiness.product_key
    where readiness.state <> 'off'
),

categories as (
    select * from {{ ref('categories') }}
),

slugs as (
    select entity_key, slug from {{ ref('slugs') }}
    where entity = 'category'
)

select
    categories.category_key,
    categories.name,
    slugs.slug,
    {{ sentences([
        "case when categories.name is null then 'it has no name' end",
        "case when length(categories.name) > " ~ var('webflow_name_max_length')
            ~ " then 'name is ' || cast(length(categories.name) as text) || ' characters long, Webflow takes "
            ~ var('webflow_name_max_length') ~ "' end",
    ]) }} as hold_reasons
from categories
inner join used on categories.category_key = used.category_key
left join slugs on categories.category_key = slugs.entity_key
