with orders as (
    select
        orders.user_id,
        orders.person_key,
        cast(date_trunc('month', timezone(coalesce(users.time_zone, 'UTC'), orders.ordered_at)) as date) as order_month
    from {{ ref('orders_clean') }} as orders
    left join {{ ref('stg_user_apis__users') }} as users on orders.user_id = users.user_id
    where orders.is_paid
),

cohorts as (
    select person_key, min(order_month) as cohort_month from orders
    group by person_key
),

placed as (
    select
        orders.user_id,
        cohorts.cohort_month,
        cast(
            (extract(year from orders.order_month) - extract(year from cohorts.cohort_month)) * 12
            + extract(month from orders.order_month) - extract(month from cohorts.cohort_month) as bigint
        ) as month_number,
        orders.person_key
    from orders
    inner join cohorts on orders.person_key = cohorts.person_key
),

counted as (
    select
        user_id,
        cohort_month,
        month_number,
        count(distinct person_key) as customer_count,
        count(*) as order_count
    from placed
    group by user_id, cohort_month, month_number
)

select
    user_id || '/' || cast(cohort_month as text) || '/' || cast(month_number as text) as cohort_key,
    user_id,
    cohort_month,
    month_number,
    cast(customer_count as bigint) as customer_count,
    cast(order_count as bigint) as order_count,
    cast(
        {{ ratio('customer_count', 'max(customer_count) over (partition by user_id, cohort_month)', scale=6) }}
        as numeric(18, 6)
    ) as share
from counted
