{{ config(unique_key='definition_key') }}

{% set columns = [
    {'name': 'field', 'path': 'field'},
    {'name': 'field_type', 'path': 'field_type'},
    {'name': 'is_required', 'path': 'is_required', 'type': 'boolean'},
    {'name': 'take', 'path': 'take'},
    {'name': 'separator', 'path': 'separator', 'type': 'json'},
    {'name': 'paths', 'path': 'paths', 'type': 'json'},
    {'name': 'cases', 'path': 'cases', 'type': 'json'},
    {'name': 'constant_value', 'path': 'constant'},
    {'name': 'value_map', 'path': 'value_map', 'type': 'json'},
    {'name': 'default_value', 'path': 'default_value'},
    {'name': 'time_zone', 'path': 'time_zone'},
    {'name': 'date_order', 'path': 'date_order'},
    {'name': 'decimal_sign', 'path': 'decimal'},
    {'name': 'sign', 'path': 'sign'},
    {'name': 'reads_one', 'path': 'reads_one', 'type': 'boolean'},
    {'name': 'is_minor', 'path': 'is_minor', 'type': 'boolean'},
    {'name': 'minor_digits', 'path': 'minor_digits', 'type': 'integer'},
    {'name': 'minor_exceptions', 'path': 'minor_exceptions', 'type': 'json'},
] %}

with documents as (
    select *, {{ as_json('document') }} as definition from (
        {{ latest_documents('raw_user_apis', 'definitions') }}
    ) as newest
),

-- A definition that is gone keeps one row without a field, so that an incremental build takes its fields away.
fields as (
    select
        documents.document_key,
        documents.definition,
        cast(documents.document_hash as text) as mapping_hash,
        documents.is_deleted,
        documents.landed_at,
        field.value as document
    from documents
    cross join lateral {{ json_elements(json_entry('documents.definition', 'fields'), 'field') }}
    where not documents.is_deleted
    union all
    select
        document_key, definition, cast(document_hash as text) as mapping_hash, is_deleted, landed_at,
        {{ as_json("'{}'") }} as document
    from documents
    where is_deleted
),

unpacked as (
    {{ unpack('fields', columns, keep=['document_key', 'definition', 'mapping_hash', 'is_deleted', 'landed_at']) }}
)

select
    cast(document_key as text) as definition_key,
    {{ json_field('definition', 'user_id') }} as user_id,
    {{ json_field('definition', 'source_id') }} as source_id,
    {{ json_field('definition', 'resource') }} as resource,
    {{ json_field('definition', 'entity') }} as entity,
    {{ json_field('definition', 'links_to') }} as links_to,
    field,
    field_type,
    is_required,
    take,
    separator,
    paths,
    cases,
    constant_value,
    value_map,
    default_value,
    time_zone,
    date_order,
    decimal_sign,
    sign,
    reads_one,
    is_minor,
    minor_digits,
    minor_exceptions,
    mapping_hash,
    is_deleted,
    landed_at,
    cast_failures
from unpacked
