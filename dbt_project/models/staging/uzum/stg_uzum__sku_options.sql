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
        sku.position as sku_position,
        choice.position,
        choice.value as choice,
        {{ cast_text(json_field('choice.value', 'charIndex'), 'integer') }} as characteristic_index,
        {{ cast_text(json_field('choice.value', 'valueIndex'), 'integer') }} as value_index
    from unpacked
    cross join lateral {{ json_elements('unpacked.skus', 'sku') }}
    cross join lateral {{ json_elements(json_entry('sku.value', 'characteristics'), 'choice') }}
    where not unpacked.is_deleted
),

{# Of a SKU that is listed twice the first entry counts; stg_uzum__skus tells the other. #}
once as (
    select distinct on (connection, document_key, sku_id, position) *
    from choices
    where sku_id is not null
    order by connection, document_key, sku_id, position, sku_position
),

looked_up as (
    select
        once.*,
        {{ json_at('characteristics', 'characteristic_index') }} as characteristic
    from once
),

valued as (
    select
        looked_up.*,
        {{ json_at(json_entry('characteristic', 'values'), 'value_index') }} as option_value
    from looked_up
)

select
    connection || ':' || document_key || '/' || sku_id || ':' || cast(position as text) as sku_option_key,
    connection || ':' || sku_id as sku_key,
    connection || ':' || document_key as product_key,
    connection,
    position,
    {{ json_field('characteristic', 'title') }} as option_name,
    {{ json_field('option_value', 'title') }} as option_value,
    option_value is null as is_out_of_range,
    landed_at,
    {{ current_moment() }} as built_at,
    case
        when option_value is null
            then {{ rejected(
                "'skuList[' || cast(sku_position - 1 as text) || '].characteristics[' || cast(position - 1 as text) || ']'",
                'cast(choice as text)', "'points outside the characteristics of the product'"
            ) }}
    end as rejects
from valued
