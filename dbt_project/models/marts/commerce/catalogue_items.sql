{#
Which Plytix attribute plays which role in the shop: change the `path` (the attribute's label in Plytix)
here and nowhere else. The first list is read from the product's main record (the parent, or the single
product), the second from the record that is sold (the variant), which falls back on the records above it.
#}
{% set product_roles = [
    {'name': 'web_title', 'path': 'web_title'},
    {'name': 'description_html', 'path': 'web_description'},
    {'name': 'short_description', 'path': 'short_description'},
    {'name': 'is_on_web', 'path': 'show_on_web', 'type': 'boolean'},
    {'name': 'web_completeness', 'path': 'web_completeness', 'type': 'numeric(9, 2)'},
    {'name': 'brand', 'path': 'brand', 'type': 'words'},
    {'name': 'material', 'path': 'material', 'type': 'words'},
    {'name': 'tax_category', 'path': 'tax_category', 'type': 'words'},
    {'name': 'seo_title', 'path': 'seo_title'},
    {'name': 'seo_description', 'path': 'seo_description'},
    {'name': 'release_date', 'path': 'release_date', 'type': 'date'},
    {'name': 'spec_sheet_id', 'path': 'spec_sheet', 'type': 'id'},
] %}
{% set sku_roles = [
    {'name': 'price_amount', 'path': 'price', 'type': 'numeric(18, 4)'},
    {'name': 'compare_at_price_amount', 'path': 'compare_at_price', 'type': 'numeric(18, 4)'},
    {'name': 'stock_quantity', 'path': 'stock', 'type': 'integer'},
    {'name': 'weight_grams', 'path': 'weight_g', 'type': 'numeric(18, 4)'},
    {'name': 'is_marked_default', 'path': 'is_default', 'type': 'boolean'},
    {'name': 'main_image_id', 'path': 'main_image', 'type': 'id'},
    {'name': 'gallery_ids', 'path': 'gallery', 'type': 'ids'},
    {'name': 'image_alt', 'path': 'image_alt'},
] %}

with records as (
    select * from {{ ref('stg_plytix__products') }}
    where not is_deleted
),

details as (
    select * from {{ ref('stg_plytix__product_details') }}
    where not is_deleted
),

families as (
    select * from {{ ref('stg_plytix__families') }}
    where not is_deleted
),

as_product as ({{ unpack('records', product_roles, keep=['product_key'], document='attributes') }}),

as_sku as ({{ unpack('records', sku_roles, keep=['product_key'], document='attributes') }}),

placed as (
    select
        records.product_key,
        parent.product_key as parent_key,
        coalesce(grandparent.product_key, parent.product_key, records.product_key) as root_key,
        case when grandparent.product_key is not null then 3 when parent.product_key is not null then 2 else 1 end as level,
        case when grandparent.product_key is not null then parent.status end as variant_status,
        records.parent_key is not null and parent.product_key is null as is_orphan
    from records
    left join records as parent on records.parent_key = parent.product_key
    left join records as grandparent on parent.parent_key = grandparent.product_key
),

parents as (
    select distinct parent_key from placed
    where parent_key is not null
)

select
    placed.product_key,
    records.connection,
    records.product_id,
    placed.root_key,
    placed.parent_key,
    cast(placed.level as integer) as level,
    placed.is_orphan,
    parents.parent_key is not null as has_children,
    coalesce(own_details.product_type = 'PARENT', false) or coalesce(records.num_variations, 0) > 0 as expects_children,
    records.sku,
    records.label,
    records.status,
    placed.variant_status,
    records.gtin,
    families.name as family_name,
    as_product.web_title,
    as_product.description_html,
    as_product.short_description,
    as_product.is_on_web,
    as_product.web_completeness,
    as_product.brand,
    as_product.material,
    as_product.tax_category,
    as_product.seo_title,
    as_product.seo_description,
    as_product.release_date,
    as_product.spec_sheet_id,
    as_product.cast_failures as product_cast_failures,
    as_product.cast_problems as product_problems,
    as_sku.price_amount,
    as_sku.compare_at_price_amount,
    as_sku.stock_quantity,
    as_sku.weight_grams,
    coalesce(as_sku.is_marked_default, false) as is_marked_default,
    coalesce(as_sku.main_image_id, records.thumbnail_id) as main_image_id,
    {{ ids_text('as_sku.gallery_ids') }} as gallery_ids,
    as_sku.image_alt,
    as_sku.cast_failures as sku_cast_failures,
    as_sku.cast_problems as sku_problems,
    records.created_at,
    records.modified_at
from placed
inner join records on placed.product_key = records.product_key
inner join as_product on placed.product_key = as_product.product_key
inner join as_sku on placed.product_key = as_sku.product_key
inner join records as root on placed.root_key = root.product_key
left join details as own_details on placed.product_key = own_details.product_key
left join details as root_details on placed.root_key = root_details.product_key
left join families
    on root.connection || ':' || coalesce(root_details.product_family_id, root.product_family_id) = families.family_key
left join parents on placed.product_key = parents.parent_key
