{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='record_key') }}

with records as (
    select * from {{ ref('stg_user_apis__records') }}
),

fields as (
    select * from {{ ref('stg_user_apis__definitions') }}
),

definitions as (
    select distinct definition_key, entity, links_to, mapping_hash, is_deleted from fields
),

versions as (
    select
        records.record_key,
        records.definition_key,
        records.user_id,
        records.source_id,
        records.resource,
        records.document_key,
        records.document,
        records.document_hash,
        definitions.mapping_hash,
        definitions.entity,
        definitions.links_to,
        records.is_deleted or definitions.is_deleted as is_deleted,
        records.landed_at
    from records
    inner join definitions on records.definition_key = definitions.definition_key
),

changed as (
    select * from versions
    {{ only_changed('versions', 'record_key', ['document_hash', 'mapping_hash', 'is_deleted']) }}
),

found as (
    select
        changed.record_key,
        fields.field,
        fields.field_type,
        fields.time_zone,
        fields.date_order,
        fields.decimal_sign,
        fields.minor_units,
        fields.constant_value,
        fields.default_value,
        fields.value_map,
        nullif(trim({{ json_at_path('changed.document', 'fields.json_path') }}), '') as their_value
    from changed
    inner join fields on changed.definition_key = fields.definition_key
    where fields.field is not null
),

mapped as (
    select
        record_key,
        field,
        field_type,
        time_zone,
        date_order,
        decimal_sign,
        minor_units,
        case
            when constant_value is not null then constant_value
            when value_map is not null and their_value is not null
                then coalesce({{ json_lookup('value_map', 'their_value') }}, default_value, their_value)
            else coalesce(their_value, default_value)
        end as value_text
    from found
),

normalised as (
    select
        record_key,
        field,
        case field_type
            when 'email' then lower(value_text)
            when 'status' then lower(value_text)
            when 'currency' then upper(value_text)
            when 'phone'
                then
                    case
                        when left(value_text, 5) = 'hmac:' then value_text
                        else nullif(regexp_replace(regexp_replace(value_text, '[^0-9]', '', 'g'), '^00', ''), '')
                    end
            when 'timestamp' then {{ normalised_time('value_text', 'date_order', 'time_zone') }}
            when 'amount'
                then
                    case
                        when decimal_sign = 'comma' then replace(replace(replace(value_text, ' ', ''), '.', ''), ',', '.')
                        else replace(replace(value_text, ' ', ''), ',', '')
                    end || case when minor_units > 0 then 'e-' || cast(minor_units as text) else '' end
            else value_text
        end as value_text
    from mapped
),

objects as (
    select record_key, {{ json_object_of('field', 'value_text') }} as fields
    from normalised
    where value_text is not null
    group by record_key
)

select
    changed.record_key,
    changed.definition_key,
    changed.user_id,
    changed.source_id,
    changed.resource,
    changed.document_key,
    changed.entity,
    changed.links_to,
    coalesce(objects.fields, '{}') as fields,
    changed.document_hash,
    changed.mapping_hash,
    changed.is_deleted,
    changed.landed_at
from changed
left join objects on changed.record_key = objects.record_key
