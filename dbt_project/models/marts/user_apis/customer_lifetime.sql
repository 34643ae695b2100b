with orders as (
    select
        orders.*,
        cast(timezone(coalesce(users.time_zone, 'UTC'), orders.ordered_at) as date) as order_date
    from {{ ref('orders_clean') }} as orders
    left join {{ ref('stg_user_apis__users') }} as users on orders.user_id = users.user_id
    where orders.is_paid and orders.person_key is not null
),

converted as (
    select
        orders.user_id,
        orders.person_key,
        orders.order_date,
        {{ product('orders.gross_amount', 'rates.rate') }} as gross_amount,
        {{ product('orders.refunded_amount', 'rates.rate') }} as refunded_amount,
        rates.reporting_currency
    from orders
    left join {{ ref('daily_reporting_rates') }} as rates
        on orders.user_id = rates.user_id and orders.order_date = rates.metric_date and orders.currency = rates.currency
)

select
    person_key,
    user_id,
    min(order_date) as first_order_date,
    max(order_date) as last_order_date,
    cast(count(*) as bigint) as order_count,
    cast(coalesce(sum(gross_amount), 0) as numeric(38, 4)) as gross_amount,
    cast(coalesce(sum(gross_amount), 0) - coalesce(sum(refunded_amount), 0) as numeric(38, 4)) as net_amount,
    max(reporting_currency) as currency
from converted
group by person_key, user_id
