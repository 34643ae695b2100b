with products as (
    select * from {{ ref('stg_plytix__products') }}
    where not is_deleted
),

relationships as (
    select * from {{ ref('stg_plytix__relationships') }}
    where not is_deleted
),

product_relationships as (
    select
        products.product_key,
        products.connection,
        {{ json_field('relation.value', 'relationship_id') }} as relationship_id,
        coalesce(
            {{ json_field('relation.value', 'relationship_label') }}, {{ json_field('relation.value', 'label') }}
        ) as relationship_label,
        {{ json_entry('relation.value', 'related_products') }} as related_products
    from products
    cross join lateral {{ json_elements('products.relationships', 'relation') }}
),

links as (
    select
        product_relationships.product_key,
        product_relationships.connection,
        product_relationships.relationship_id,
        product_relationships.relationship_label,
        related.position,
        coalesce(
            {{ json_field('related.value', 'product_id') }}, {{ json_field('related.value', 'id') }}
        ) as related_product_id,
        {{ cast_text(json_field('related.value', 'quantity'), 'number') }} as quantity
    from product_relationships
    cross join lateral {{ json_elements('product_relationships.related_products', 'related') }}
),

labelled as (
    select
        links.product_key,
        coalesce(relationships.relationship_label, links.relationship_label, links.relationship_id) as relationship_label,
        coalesce(relationships.is_symmetrical, false) as is_symmetrical,
        links.connection || ':' || links.related_product_id as related_product_key,
        links.quantity,
        links.position,
        row_number() over (
            partition by links.product_key, links.relationship_id, links.relationship_label, links.related_product_id
            order by links.position
        ) as occurrence
    from links
    left join relationships
        on links.connection || ':' || links.relationship_id = relationships.relationship_key
    where links.related_product_id is not null
)

select
    labelled.product_key || ':' || labelled.relationship_label || ':' || labelled.related_product_key as product_relation_key,
    labelled.product_key,
    labelled.relationship_label,
    labelled.is_symmetrical,
    labelled.related_product_key,
    labelled.quantity,
    labelled.position
from labelled
inner join products on labelled.related_product_key = products.product_key
where labelled.occurrence = 1
