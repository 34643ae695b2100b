{#
Deals, lots and items of UZEX come from many modules with the same meanings under different names (dossier §2.4).
One list of paths per kind reads them all; staging has one model per raw table.
#}
{% macro uzex_deal_columns() %}
    {{ return([
        {'name': 'lot_id', 'path': ['lot_id', 'trade_id'], 'type': 'integer'},
        {'name': 'deal_id', 'path': ['deal_id', 'id'], 'type': 'integer'},
        {'name': 'display_no', 'path': ['lot_display_no', 'display_no', 'display_id', 'contract_num']},
        {'name': 'deal_at', 'path': ['deal_date', 'contract_date', 'date_ini'], 'type': 'local_timestamp'},
        {'name': 'lot_started_at', 'path': 'lot_start_date', 'type': 'local_timestamp'},
        {'name': 'lot_ended_at', 'path': 'lot_end_date', 'type': 'local_timestamp'},
        {'name': 'category_name', 'path': 'category_name'},
        {'name': 'product_name', 'path': 'product_name'},
        {'name': 'product_code', 'path': 'product_code'},
        {'name': 'quantity', 'path': 'amount', 'type': 'numeric(18, 4)'},
        {'name': 'unit_name', 'path': ['measure_name', 'measure']},
        {'name': 'start_amount', 'path': 'start_cost', 'type': 'numeric(18, 2)'},
        {'name': 'deal_amount', 'path': ['deal_cost', 'contract_sum'], 'type': 'numeric(18, 2)'},
        {'name': 'currency_name', 'path': 'currency_name'},
        {'name': 'price_step_count', 'path': 'pcp_count', 'type': 'integer'},
        {'name': 'participant_count', 'path': 'participants_count', 'type': 'integer'},
        {'name': 'buyer_inn', 'path': 'customer_inn'},
        {'name': 'buyer_name', 'path': 'customer_name'},
        {'name': 'buyer_region_name', 'path': ['customer_region_name', 'customer_region']},
        {'name': 'supplier_inn', 'path': 'provider_inn'},
        {'name': 'supplier_name', 'path': 'provider_name'},
        {'name': 'supplier_region_name', 'path': 'provider_region_name'},
        {'name': 'is_budget', 'path': 'is_budget', 'type': 'boolean'},
        {'name': 'is_in_shop', 'path': 'display_on_shop', 'type': 'boolean'},
        {'name': 'deal_status', 'path': ['deal_status_name', 'status_name']},
        {'name': 'payment_status', 'path': ['kazna_payment_status', 'deal_contract_kazna_status_name']},
        {'name': 'treasury_status_id', 'path': ['kazna_status_id', 'deal_contract_kazna_status_id'], 'type': 'integer'},
        {'name': 'treasury_registered_at', 'path': 'kazna_created_date', 'type': 'local_timestamp'},
    ]) }}
{% endmacro %}

{% macro uzex_lot_columns() %}
    {{ return([
        {'name': 'display_no', 'path': ['display_no', 'lot_display_no']},
        {'name': 'subject', 'path': ['name', 'product_name', 'category_name']},
        {'name': 'category_name', 'path': 'category_name'},
        {'name': 'buyer_name', 'path': ['customer_name', 'seller_name']},
        {'name': 'buyer_inn', 'path': ['customer_inn', 'seller_tin']},
        {'name': 'region_name', 'path': ['region_name', 'customer_region_name']},
        {'name': 'district_name', 'path': ['district_name', 'customer_district_name']},
        {'name': 'start_amount', 'path': ['start_cost', 'cost'], 'type': 'numeric(18, 2)'},
        {'name': 'currency_name', 'path': ['currency_codeabc', 'currency_name', 'currency_id']},
        {'name': 'quantity', 'path': 'amount', 'type': 'numeric(18, 4)'},
        {'name': 'started_at', 'path': ['start_date', 'lot_start_date'], 'type': 'local_timestamp'},
        {'name': 'ends_at', 'path': ['end_date', 'end_date_submitting_offers', 'lot_end_date'], 'type': 'local_timestamp'},
        {'name': 'status_name', 'path': ['status_name', 'deal_status_name', 'trade_status_name']},
    ]) }}
{% endmacro %}

{% macro uzex_item_columns() %}
    {{ return([
        {'name': 'order_num', 'path': ['order_num', 'Order_Num'], 'type': 'integer'},
        {'name': 'product_code', 'path': ['product_code', 'Product_Code']},
        {'name': 'product_name', 'path': ['product_name', 'Product_Name', 'description', 'Description']},
        {'name': 'category_name', 'path': ['category_name', 'Category_Name']},
        {'name': 'quantity', 'path': ['quantity', 'Quantity', 'amount'], 'type': 'numeric(18, 4)'},
        {'name': 'price_amount', 'path': ['price', 'Price'], 'type': 'numeric(18, 2)'},
        {'name': 'cost_amount', 'path': ['cost', 'Cost'], 'type': 'numeric(18, 2)'},
        {'name': 'unit_name', 'path': ['unit_name', 'measure_name']},
        {'name': 'currency_name', 'path': 'currency_name'},
        {'name': 'country_name', 'path': 'country_name'},
        {'name': 'properties', 'path': ['js_properties', 'Js_Properties'], 'type': 'json'},
    ]) }}
{% endmacro %}


{#
All versions of the deals of one module. E-shop and national shop are two views of one list: a deal that both show is
one deal, known by its number alone, and the e-shop's.
#}
{% macro stage_uzex_deals(table, module) %}
{% set key = 'shop' if module == 'national' else module %}
with documents as ({{ document_versions('raw_uzex', table) }}),

unpacked as ({{ unpack('documents', uzex_deal_columns(), keep=version_columns()) }})

select
    {{ version_key() }} as deal_version_key,
    connection || ':{{ key }}:' || document_key as deal_key,
    connection,
    {% if key != module %}case when is_in_shop then '{{ key }}' else '{{ module }}' end{% else %}'{{ module }}'{% endif %} as module,
    lot_id,
    deal_id,
    display_no,
    deal_at,
    lot_started_at,
    lot_ended_at,
    category_name,
    product_name,
    product_code,
    quantity,
    unit_name,
    start_amount,
    deal_amount,
    {{ currency_code('currency_name') }} as currency,
    price_step_count,
    participant_count,
    buyer_inn,
    buyer_name,
    buyer_region_name,
    supplier_inn,
    supplier_name,
    supplier_region_name,
    is_budget,
    deal_status,
    payment_status,
    treasury_status_id,
    treasury_registered_at,
    is_deleted,
    landed_at,
    load_id,
    built_at,
    cast_failures,
    rejects
from unpacked
{% endmacro %}


{# All versions of the lots of one module. #}
{% macro stage_uzex_lots(table, module) %}
with documents as ({{ document_versions('raw_uzex', table) }}),

unpacked as ({{ unpack('documents', uzex_lot_columns(), keep=version_columns()) }})

select
    {{ version_key() }} as lot_version_key,
    connection || ':{{ module }}:' || document_key as lot_key,
    connection,
    '{{ module }}' as module,
    {{ cast_text('document_key', 'integer') }} as lot_id,
    display_no,
    subject,
    category_name,
    buyer_name,
    buyer_inn,
    region_name,
    district_name,
    start_amount,
    {{ currency_code('currency_name') }} as currency,
    quantity,
    started_at,
    ends_at,
    status_name,
    is_deleted,
    landed_at,
    load_id,
    built_at,
    cast_failures,
    rejects
from unpacked
{% endmacro %}


{# The newest items of each parent of one module: the parent's rows are replaced together. #}
{% macro stage_uzex_items(table, module, path) %}
{% set parent_columns = [{'name': 'items', 'path': path, 'type': 'list'}] %}
{% set keep = ['connection', 'document_key', 'landed_at', 'is_deleted'] %}

with documents as ({{ latest_documents('raw_uzex', table) }}),

parents as ({{ unpack('documents', parent_columns) }}),

items as (
    select
        parents.connection,
        parents.document_key,
        parents.landed_at,
        parents.is_deleted,
        parents.rejects as document_rejects,
        item.position,
        item.value as document
    from parents
    left join lateral {{ json_elements('parents.items', 'item') }} on true
    where item.position is not null or parents.rejects is not null
),

unpacked as (
    {{ unpack('items', uzex_item_columns(), keep=keep + ['position', 'document_rejects'], entry_of=unpack_paths(parent_columns[0])[0]) }}
),

units as (
    select
        unpacked.connection,
        unpacked.document_key,
        unpacked.position,
        max({{ json_field('property.value', 'user_value') }}) as unit_name
    from unpacked
    cross join lateral {{ json_elements('unpacked.properties', 'property') }}
    where {{ json_field('property.value', 'property_name') }} = 'Единица измерения'
    group by unpacked.connection, unpacked.document_key, unpacked.position
)

select
    unpacked.connection || ':{{ module }}:' || unpacked.document_key || ':' || cast(unpacked.position as text) as item_key,
    unpacked.connection || ':{{ module }}:' || unpacked.document_key as parent_key,
    unpacked.connection,
    '{{ module }}' as module,
    {{ cast_text('unpacked.document_key', 'integer') }} as parent_id,
    unpacked.position,
    unpacked.order_num,
    unpacked.product_code,
    unpacked.product_name,
    unpacked.category_name,
    unpacked.quantity,
    unpacked.price_amount,
    coalesce(unpacked.cost_amount, {{ money(product('unpacked.price_amount', 'unpacked.quantity')) }}) as cost_amount,
    {{ currency_code('unpacked.currency_name') }} as currency,
    coalesce(unpacked.unit_name, units.unit_name) as unit_name,
    unpacked.country_name,
    unpacked.is_deleted,
    unpacked.landed_at,
    {{ current_moment() }} as built_at,
    unpacked.cast_failures,
    {{ joined_rejects(['unpacked.rejects', 'case when coalesce(unpacked.position, 1) = 1 then unpacked.document_rejects end']) }}
        as rejects,
    unpacked.position is null as is_put_aside
from unpacked
left join units
    on
        unpacked.connection = units.connection and unpacked.document_key = units.document_key
        and unpacked.position = units.position
{% endmacro %}


{# The first of some fields of a winner: the portal names them in several ways. #}
{% macro uzex_winner_field(winner, names) -%}
    coalesce({% for name in names %}{{ json_field(winner, name) }}{% if not loop.last %}, {% endif %}{% endfor %})
{%- endmacro %}


{# array, object, string, number, boolean or null, in lower case, on both engines. #}
{% macro json_kind(json) -%}
    {{ return(adapter.dispatch('json_kind')(json)) }}
{%- endmacro %}

{% macro duckdb__json_kind(json) -%}
    case json_type({{ json }})
        when 'VARCHAR' then 'string' when 'ARRAY' then 'array' when 'OBJECT' then 'object'
        when 'NULL' then 'null' when 'BOOLEAN' then 'boolean' else 'number'
    end
{%- endmacro %}

{% macro postgres__json_kind(json) -%}
    jsonb_typeof({{ json }})
{%- endmacro %}
