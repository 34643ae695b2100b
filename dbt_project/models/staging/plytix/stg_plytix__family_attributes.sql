{# One document per family holds the list: all rows of a family are replaced together. #}
{{ config(unique_key='family_key', pre_hook='{{ forget_changed_documents() }}') }}

{% set list_columns = [
    {'name': 'attributes', 'path': 'attributes', 'type': 'list'},
] %}
{% set columns = [
    {'name': 'attribute_label', 'path': 'label'},
    {'name': 'name', 'path': 'name'},
    {'name': 'attribute_level', 'path': 'attribute_level'},
] %}
{% set family = ['connection', 'document_key', 'landed_at', 'is_deleted'] %}

with documents as ({{ latest_documents('raw_plytix', 'family_attributes') }}),

families as ({{ unpack('documents', list_columns) }}),

entries as (
    select
        families.connection,
        families.document_key,
        families.landed_at,
        families.is_deleted,
        families.rejects as document_rejects,
        entry.position,
        entry.value as document
    from families
    left join lateral {{ json_elements('families.attributes', 'entry') }} on true
    where entry.position is not null or families.rejects is not null
),

unpacked as ({{ unpack('entries', columns, keep=family + ['position', 'document_rejects'], entry_of='attributes') }}),

once as ({{ once_each('unpacked', key='attribute_label', path='attributes[].label', of_document='document_rejects') }})

select
    connection || ':' || document_key as family_key,
    connection || ':' || document_key || ':' || attribute_label as family_attribute_key,
    connection,
    attribute_label,
    name,
    attribute_level,
    position,
    is_deleted,
    landed_at,
    all_rejects as rejects,
    is_put_aside
from once
