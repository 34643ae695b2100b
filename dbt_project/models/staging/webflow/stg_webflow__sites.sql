{{ config(unique_key='site_key') }}

{% set columns = [
    {'name': 'name', 'path': ['displayName', 'name']},
    {'name': 'short_name', 'path': 'shortName'},
    {'name': 'default_currency', 'path': 'defaultCurrency'},
] %}

with documents as ({{ latest_documents('raw_webflow', 'sites') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as site_key,
    connection,
    document_key as site_id,
    name,
    short_name,
    upper(default_currency) as default_currency,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
