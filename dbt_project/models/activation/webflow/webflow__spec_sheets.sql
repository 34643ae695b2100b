{#
One spec sheet per product of the shop, in the collection of its family (vars spec_sheet_families). The table is made
of the attributes that Plytix keeps in some groups (vars spec_sheet_groups), in Plytix's order.
#}
with products as (
    select * from {{ ref('products') }}
),

shop_products as (
    select product_key, name, slug, hold_reasons from {{ ref('webflow__products') }}
),

filled as (
    select
        product_key,
        group_name,
        min(group_position) as group_position,
        string_agg(
            '<tr><th>' || {{ escape_html('attribute_name') }} || '</th><td>' || {{ escape_html('value_text') }} || '</td></tr>',
            '' order by position_in_group, attribute_label
        ) as lines
    from {{ ref('product_attributes') }}
    where
        group_name in ({{ "'" ~ var('spec_sheet_groups') | join("', '") ~ "'" }})
        and type_class not in ('MediaAttribute', 'MediaGalleryAttribute', 'HtmlAttribute', 'CompletenessAttribute')
    group by product_key, group_name
),

tables as (
    select
        product_key,
        string_agg(
            '<h3>' || {{ escape_html('group_name') }} || '</h3><table><tbody>' || lines || '</tbody></table>',
            '' order by group_position, group_name
        ) as specifications
    from filled
    group by product_key
),

pictures as (
    select product_key, main_image_url, main_image_alt from {{ ref('product_variants') }}
    where is_default
),

documents as (
    select product_key, url from {{ ref('product_assets') }}
    where role = 'spec_sheet'
)

select
    products.product_key as spec_sheet_key,
    case
        when products.family_name in ({{ "'" ~ var('spec_sheet_families') | join("', '") ~ "'" }})
            then 'spec-sheets-' || lower(products.family_name)
    end as collection,
    shop_products.name,
    shop_products.slug,
    products.sku,
    case when products.brand is not null then products.connection || ':' || products.brand end as brand_key,
    tables.specifications,
    left(products.short_description, 500) as summary,
    pictures.main_image_url as picture_url,
    pictures.main_image_alt as picture_alt,
    documents.url as document_url,
    products.release_date as released,
    products.web_completeness as completeness,
    {{ sentences([
        "shop_products.hold_reasons",
        "case when products.family_name is null then 'it has no family'
            when products.family_name not in ('" ~ var('spec_sheet_families') | join("', '") ~ "')
            then 'no collection of spec sheets is set up for the family ' || products.family_name end",
    ]) }} as hold_reasons
from shop_products
inner join products on shop_products.product_key = products.product_key
left join tables on products.product_key = tables.product_key
left join pictures on products.product_key = pictures.product_key
left join documents on products.product_key = documents.product_key
