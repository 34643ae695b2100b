with products as (
    select * from {{ ref('products') }}
),

readiness as (
    select product_key, hold_reasons from {{ ref('product_readiness') }}
    where state <> 'off'
),

slugs as (
    select entity_key, slug from {{ ref('slugs') }}
    where entity = 'product'
),

category_lists as (
    select
        product_key,
        '[' || string_agg({{ json_string('category_key') }}, ',' order by position) || ']' as category_keys
    from {{ ref('product_categories') }}
    group by product_key
),

{# What waits is offered to nobody: the value of an option appears with the first variant that has it and is ready. #}
option_values as (
    {% for slot in [1, 2, 3] %}
    select
        product_key,
        {{ slot }} as slot,
        option_{{ slot }}_name as option_name,
        option_{{ slot }}_value as option_value,
        min(position) as first_position
    from {{ ref('product_variants') }}
    where option_{{ slot }}_value is not null and hold_reasons is null
    group by product_key, option_{{ slot }}_name, option_{{ slot }}_value
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

{# Webflow makes the default SKU of each property's first value: the default variant has position 1. #}
properties as (
    select
        product_key,
        slot,
        '{"name":' || {{ json_string('option_name') }} || ',"values":['
        || string_agg({{ json_string('option_value') }}, ',' order by first_position) || ']}' as property
    from option_values
    group by product_key, slot, option_name
),

property_lists as (
    select product_key, '[' || string_agg(property, ',' order by slot) || ']' as sku_properties
    from properties
    group by product_key
),

spec_sheets as (
    select product_key, url from {{ ref('product_assets') }}
    where role = 'spec_sheet'
),

{# A product cannot be made without a SKU: it waits when none of its SKUs can be sent. #}
skus as (
    select
        product_key,
        count(case when hold_reasons is null then 1 end) as ready_count,
        min(hold_reasons) as hold_reasons
    from {{ ref('webflow__skus') }}
    group by product_key
)

select
    products.product_key,
    products.name,
    slugs.slug,
    products.description_html as description,
    true as is_shippable,
    coalesce(products.tax_category, 'standard-taxable') as tax_category,
    coalesce(category_lists.category_keys, '[]') as category_keys,
    coalesce(property_lists.sku_properties, '[]') as sku_properties,
    products.brand,
    products.material,
    products.short_description,
    products.seo_title,
    products.seo_description,
    cast(products.release_date as text) || 'T00:00:00.000Z' as release_date,
    spec_sheets.url as spec_sheet_url,
    false as is_archived,
    products.modified_at,
    coalesce(
        readiness.hold_reasons,
        case when coalesce(skus.ready_count, 0) = 0 then coalesce(skus.hold_reasons, 'it has no SKU') end
    ) as hold_reasons
from products
inner join readiness on products.product_key = readiness.product_key
left join slugs on products.product_key = slugs.entity_key
left join category_lists on products.product_key = category_lists.product_key
left join property_lists on products.product_key = property_lists.product_key
left join skus on products.product_key = skus.product_key
left join spec_sheets on products.product_key = spec_sheets.product_key
