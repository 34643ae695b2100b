{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='record_key', on_schema_change='fail') }}

{% set columns = [
    {'name': 'created_at', 'path': ['ordered_at', 'created_at'], 'type': 'timestamp'},
    {'name': 'updated_at', 'path': 'updated_at', 'type': 'timestamp'},
    {'name': 'refunded_at', 'path': 'refunded_at', 'type': 'timestamp'},
    {'name': 'status', 'path': 'status'},
    {'name': 'campaign', 'path': 'campaign'},
    {'name': 'customer_ref', 'path': 'customer_key'},
    {'name': 'cost_amount', 'path': 'cost_amount', 'type': 'numeric(18, 4)'},
    {'name': 'gross_amount', 'path': 'gross_amount', 'type': 'numeric(18, 4)'},
    {'name': 'refunded_amount', 'path': 'refunded_amount', 'type': 'numeric(18, 4)'},
    {'name': 'currency', 'path': 'currency'},
    {'name': 'problems', 'path': 'problems'},
] %}
{% set kept = [
    'record_key', 'definition_key', 'user_id', 'source_id', 'resource', 'document_key', 'entity', 'links_to',
    'document_hash', 'mapping_hash', 'is_deleted', 'is_ignored', 'landed_at',
] %}
{% set statuses = {
    'lead': ['new', 'qualified', 'converted', 'lost'],
    'customer': ['active', 'inactive', 'blocked'],
    'order': ['pending', 'paid', 'cancelled', 'refunded', 'partly_refunded'],
} %}

with record_fields as (
    select * from {{ ref('record_fields') }}
),

changed as (
    select {{ kept | join(', ') }}, fields as document from record_fields
    {{ only_changed('record_fields', 'record_key', ['document_hash', 'mapping_hash', 'is_deleted']) }}
),

unpacked as ({{ unpack('changed', columns, keep=kept) }}),

judged as (
    select
        *,
        {{ sentences([
            'problems',
            'cast_problems',
            "case when created_at is null and coalesce(cast_failures, '') not like '%created_at%' then 'it has no time' end",
            "case when entity = 'order' and gross_amount is null and concat(cast_failures, problems) not like '%gross_amount%' then 'it has no amount' end",
            "case when entity = 'order' and (currency is null or currency !~ '^[A-Z]{3}$') then 'it has no currency' end",
            "case when entity = 'order' and status is null then 'it has no status' end",
            "case entity when 'lead' then case when status not in ('" ~ statuses.lead | join("', '") ~ "') then 'status \"' || status || '\" is not mapped' end"
            ~ " when 'customer' then case when status not in ('" ~ statuses.customer | join("', '") ~ "') then 'status \"' || status || '\" is not mapped' end"
            ~ " when 'order' then case when status not in ('" ~ statuses.order | join("', '") ~ "') then 'status \"' || status || '\" is not mapped' end end",
            "case when refunded_amount > gross_amount then 'more was refunded than paid' end",
        ]) }} as reject_reasons
    from unpacked
)

select
    judged.record_key,
    judged.definition_key,
    judged.user_id,
    judged.source_id,
    judged.resource,
    judged.document_key,
    judged.entity,
    judged.created_at,
    judged.updated_at,
    judged.refunded_at,
    judged.status,
    judged.campaign,
    judged.user_id || '/' || coalesce(judged.links_to, judged.source_id) || '/' || judged.customer_ref as customer_link,
    cast(judged.cost_amount as numeric(18, 4)) as cost_amount,
    cast(judged.gross_amount as numeric(18, 4)) as gross_amount,
    cast(judged.refunded_amount as numeric(18, 4)) as refunded_amount,
    judged.currency,
    people.email_hash,
    people.phone_hash,
    people.name_hash,
    case when not judged.is_ignored then judged.reject_reasons end as reject_reasons,
    judged.document_hash,
    judged.mapping_hash,
    judged.is_deleted,
    judged.is_ignored,
    judged.landed_at
from judged
inner join {{ ref('people') }} as people on judged.record_key = people.record_key
