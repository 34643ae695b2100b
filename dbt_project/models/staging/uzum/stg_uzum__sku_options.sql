{#
What tells the SKUs of a product apart, from the newest version: Uzum gives positions into the product's
characteristics (dossier §1.3). A position out of range leaves the value empty and is_out_of_range true.
#}
{{ config(
    unique_key='product_key', pre_hook='{{ forget_changed_documents() }}', indexes=indexes(['product_key'])
) }}

{% set columns = [
    {'name': 'skus', 'path': 'skuList', 'type': 'json'},
    {'name': 'characteristics', 'path': 'characteristics', 'type': 'json'},
] %}

with documents as ({{ latest_documents('raw_uzum', 'products') }}),

unpacked as ({{ unpack('documents', columns) }}),

choices as (
    select
        unpacked.connection,
        unpacked.document_key,
        unpacked.landed_at,
        unpacked.characteristics,
        {{ json_field('sku.value', 'id') }} as sku_id,
        choice.position,
        {{ cast_text(json_field('choice.value', 'charIndex'), 'integer') }} as characteristic_index,
        {{ cast_text(json_field('choice.value', 'valueIndex'), 'integer') }} as value_index
    from unpacked
    cross join lateral {{ json_elements('unpacked.skus', 'sku') }}
    cross join lateral {{ json_elements(json_entry('sku.value', 'characteristics'), 'choice') }}
    where not unpacked.is_deleted
),

looked_up as (
    select
        choices.*,
        {{ json_at('characteristics', 'characteristic_index') }} as characteristic
    from choices
),

valued as (
    select
        looked_up.*,
        {{ json_at(json_entry('characteristic', 'values'), 'value_index') }} as option_value
    from looked_up
)

select
    connection || ':' || sku_id || ':' || cast(position as text) as sku_option_key,
    connection || ':' || sku_id as sku_key,
    connection || ':' || document_key as product_key,
    connection,
    position,
    {{ json_field('characteristic', 'title') }} as option_name,
    {{ json_field('option_value', 'title') }} as option_value,
    option_value is null as is_out_of_range,
    landed_at,
    {{ current_moment() }} as built_at
from valued
where sku_id is not null
