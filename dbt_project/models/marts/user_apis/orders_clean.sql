{{ config(materialized='view') }}

with customers as (
    select customer_link, min(person_key) as person_key from {{ ref('customers_clean') }}
    group by customer_link
)

select
    orders.record_key,
    orders.user_id,
    orders.source_id,
    orders.created_at as ordered_at,
    orders.updated_at,
    orders.status,
    coalesce(
        customers.person_key,
        orders.user_id || '/' || coalesce(orders.email_hash, orders.phone_hash),
        orders.customer_link
    ) as person_key,
    customers.person_key is not null as is_linked,
    orders.status in ('paid', 'refunded', 'partly_refunded') as is_paid,
    orders.gross_amount,
    cast(case
        when orders.refunded_amount is not null then orders.refunded_amount
        when orders.status = 'refunded' then orders.gross_amount
        else 0
    end as numeric(18, 4)) as refunded_amount,
    coalesce(orders.refunded_at, orders.updated_at, orders.created_at) as refunded_at,
    orders.currency,
    orders.landed_at
from {{ ref('user_records') }} as orders
left join customers on orders.customer_link = customers.customer_link
where orders.entity = 'order' and not orders.is_deleted and not orders.is_ignored and orders.reject_reasons is null
