{# Photos of the newest version of a product: all of a product are replaced together. Keys in `photo` are sizes. #}
{{ config(
    unique_key='product_key', pre_hook='{{ forget_changed_documents() }}', indexes=indexes(['product_key'])
) }}

{% set columns = [
    {'name': 'photos', 'path': 'photos', 'type': 'list'},
] %}

with documents as ({{ latest_documents('raw_uzum', 'products') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    unpacked.connection || ':' || unpacked.document_key || ':' || cast(photo.position as text) as photo_key,
    unpacked.connection || ':' || unpacked.document_key as product_key,
    unpacked.connection,
    photo.position,
    {{ json_field('photo.value', 'photoKey') }} as photo_id,
    {{ json_field('photo.value', 'color') }} as colour,
    'https://images.uzum.uz/' || {{ json_field('photo.value', 'photoKey') }} || '/original.jpg' as url,
    unpacked.landed_at,
    case when coalesce(photo.position, 1) = 1 then unpacked.rejects end as rejects,
    {{ json_field('photo.value', 'photoKey') }} is null as is_put_aside
from unpacked
left join lateral {{ json_elements('unpacked.photos', 'photo') }} on true
where not unpacked.is_deleted and (photo.position is not null or unpacked.rejects is not null)
