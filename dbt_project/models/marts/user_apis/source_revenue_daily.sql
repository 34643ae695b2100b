with orders as (
    select
        orders.*,
        cast(timezone(coalesce(users.time_zone, 'UTC'), orders.ordered_at) as date) as order_date,
        cast(timezone(coalesce(users.time_zone, 'UTC'), orders.refunded_at) as date) as refund_date
    from {{ ref('orders_clean') }} as orders
    left join {{ ref('stg_user_apis__users') }} as users on orders.user_id = users.user_id
    where orders.is_paid
),

amounts as (
    select user_id, source_id, order_date as metric_date, currency, 1 as order_count, gross_amount, 0 as refunded_amount
    from orders
    union all
    select user_id, source_id, refund_date as metric_date, currency, 0 as order_count, 0 as gross_amount, refunded_amount
    from orders
    where refunded_amount <> 0
)

select
    user_id || '/' || source_id || '/' || cast(metric_date as text) || '/' || currency as metric_key,
    user_id,
    source_id,
    metric_date,
    currency,
    cast(sum(order_count) as bigint) as order_count,
    cast(sum(gross_amount) as numeric(38, 4)) as gross_amount,
    cast(sum(refunded_amount) as numeric(38, 4)) as refunded_amount,
    cast(sum(gross_amount) - sum(refunded_amount) as numeric(38, 4)) as net_amount
from amounts
group by user_id, source_id, metric_date, currency
