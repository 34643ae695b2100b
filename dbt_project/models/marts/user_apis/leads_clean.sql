{{ config(materialized='view') }}

with customers as (
    select customer_link, min(person_key) as person_key from {{ ref('customers_clean') }}
    group by customer_link
)

select
    leads.record_key,
    leads.user_id,
    leads.source_id,
    leads.created_at,
    leads.updated_at,
    leads.status,
    leads.campaign,
    leads.cost_amount,
    leads.currency,
    coalesce(customers.person_key, leads.user_id || '/' || coalesce(leads.email_hash, leads.phone_hash, leads.record_key))
        as person_key,
    leads.landed_at
from {{ ref('user_records') }} as leads
left join customers on leads.customer_link = customers.customer_link
where leads.entity = 'lead' and not leads.is_deleted and not leads.is_ignored and leads.reject_reasons is null
