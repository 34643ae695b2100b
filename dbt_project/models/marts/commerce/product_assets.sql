with items as (
    select * from {{ ref('catalogue_items') }}
),

assets as (
    select * from {{ ref('stg_plytix__assets') }}
    where not is_deleted
),

links as (
    select product_key, connection, 'main' as role, cast(1 as bigint) as position, main_image_id as asset_id
    from items
    where main_image_id is not null
    union all
    select items.product_key, items.connection, 'gallery' as role, image.position, {{ json_text('image.value') }} as asset_id
    from items
    cross join lateral {{ json_elements(as_json('items.gallery_ids'), 'image') }}
    union all
    select product_key, connection, 'spec_sheet' as role, cast(1 as bigint) as position, spec_sheet_id as asset_id
    from items
    where spec_sheet_id is not null
)

select
    links.product_key || ':' || links.role || ':' || cast(links.position as text) as product_asset_key,
    links.product_key,
    links.role,
    links.position,
    links.connection || ':' || links.asset_id as asset_key,
    assets.url,
    assets.url || '#' || substr(
        md5(coalesce(cast(assets.file_modified_at as text), '') || ':' || coalesce(cast(assets.file_size_bytes as text), '')),
        1, 8
    ) as image_url,
    assets.filename,
    assets.content_type,
    assets.file_size_bytes,
    assets.asset_key is not null as is_known,
    coalesce(
        assets.file_type = 'IMAGES' or assets.content_type like 'image/%'
        or assets.extension in ('png', 'jpg', 'jpeg', 'gif', 'webp', 'svg', 'avif'), false
    ) as is_image
from links
left join assets on links.connection || ':' || links.asset_id = assets.asset_key
