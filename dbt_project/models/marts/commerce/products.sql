with items as (
    select * from {{ ref('catalogue_items') }}
),

sku_counts as (
    select
        product_key,
        count(*) as sku_count,
        count(*) filter (where hold_reasons is null) as ready_sku_count,
        count(price_amount) as priced_sku_count
    from {{ ref('product_variants') }}
    group by product_key
)

select
    items.product_key,
    items.connection,
    items.product_id,
    items.sku,
    coalesce(items.web_title, items.label, items.sku) as name,
    items.status,
    items.family_name,
    coalesce(items.is_on_web, false) as is_on_web,
    items.web_completeness,
    {{ clean_html('items.description_html') }} as description_html,
    items.short_description,
    items.brand,
    items.material,
    items.tax_category,
    items.seo_title,
    items.seo_description,
    items.release_date,
    items.has_children as has_variants,
    items.expects_children and not items.has_children as lacks_variants,
    items.is_orphan,
    coalesce(sku_counts.sku_count, 0) as sku_count,
    coalesce(sku_counts.ready_sku_count, 0) as ready_sku_count,
    coalesce(sku_counts.priced_sku_count, 0) as priced_sku_count,
    items.product_cast_failures as cast_failures,
    items.product_problems as cast_problems,
    items.created_at,
    items.modified_at
from items
left join sku_counts on items.product_key = sku_counts.product_key
where items.product_key = items.root_key
