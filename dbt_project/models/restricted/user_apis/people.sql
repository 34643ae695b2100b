{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='record_key') }}

with record_fields as (
    select
        record_key,
        user_id,
        source_id,
        entity,
        document_hash,
        mapping_hash,
        is_deleted,
        {{ as_json('fields') }} as fields
    from {{ ref('record_fields') }}
),

changed as (
    select * from record_fields
    {{ only_changed('record_fields', 'record_key', ['document_hash', 'mapping_hash', 'is_deleted']) }}
),

values_of as (
    select
        record_key,
        user_id,
        source_id,
        entity,
        document_hash,
        mapping_hash,
        is_deleted,
        {{ json_field('fields', 'email') }} as email,
        {{ json_field('fields', 'phone') }} as phone,
        {{ json_field('fields', 'name') }} as name
    from changed
)

select
    values_of.record_key,
    values_of.user_id,
    values_of.source_id,
    values_of.entity,
    values_of.email,
    values_of.phone,
    values_of.name,
    {{ personal_hash('values_of.email') }} as email_hash,
    {{ personal_hash('values_of.phone') }} as phone_hash,
    {{ personal_hash('values_of.name') }} as name_hash,
    values_of.document_hash,
    values_of.mapping_hash,
    values_of.is_deleted
from values_of
cross join {{ source('restricted', 'hash_key') }} as hash_key
