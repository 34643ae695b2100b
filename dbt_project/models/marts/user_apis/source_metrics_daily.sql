{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='metric_key', on_schema_change='fail') }}

{#
Computed as a set, written only where a day came out differently: a late or changed record restates its own
days, and a day that lost its last record is written once more with zeros.
#}
{% set measures = [
    'lead_count', 'converted_lead_count', 'new_customer_count', 'active_customer_count', 'order_count',
    'repeat_order_count', 'gross_amount', 'refunded_amount', 'net_amount', 'unconverted_order_count', 'currency',
] %}

with users as (
    select user_id, time_zone, currency from {{ ref('stg_user_apis__users') }}
    where not is_deleted
),

orders as (
    select
        orders.user_id,
        orders.source_id,
        orders.person_key,
        orders.ordered_at,
        cast(timezone(coalesce(users.time_zone, 'UTC'), orders.ordered_at) as date) as metric_date,
        row_number() over (
            partition by orders.source_id, orders.person_key order by orders.ordered_at, orders.record_key
        ) as nth_of_person
    from {{ ref('orders_clean') }} as orders
    left join users on orders.user_id = users.user_id
    where orders.is_paid
),

first_orders as (
    select person_key, max(ordered_at) as last_ordered_at from orders
    group by person_key
),

customers as (
    select
        customers.user_id,
        customers.source_id,
        customers.person_key,
        cast(timezone(coalesce(min(users.time_zone), 'UTC'), min(customers.created_at)) as date) as metric_date
    from {{ ref('customers_clean') }} as customers
    left join users on customers.user_id = users.user_id
    group by customers.user_id, customers.source_id, customers.person_key
),

leads as (
    select
        leads.user_id,
        leads.source_id,
        cast(timezone(coalesce(users.time_zone, 'UTC'), leads.created_at) as date) as metric_date,
        leads.status = 'converted' or first_orders.last_ordered_at >= leads.created_at as is_converted
    from {{ ref('leads_clean') }} as leads
    left join users on leads.user_id = users.user_id
    left join first_orders on leads.person_key = first_orders.person_key
),

revenue as (
    select
        revenue.user_id,
        revenue.source_id,
        revenue.metric_date,
        sum({{ product('revenue.gross_amount', 'rates.rate') }}) as gross_amount,
        sum({{ product('revenue.refunded_amount', 'rates.rate') }}) as refunded_amount,
        sum(case when rates.rate is null then revenue.order_count else 0 end) as unconverted_order_count
    from {{ ref('source_revenue_daily') }} as revenue
    left join {{ ref('daily_reporting_rates') }} as rates
        on
            revenue.user_id = rates.user_id
            and revenue.metric_date = rates.metric_date
            and revenue.currency = rates.currency
    group by revenue.user_id, revenue.source_id, revenue.metric_date
),

counted as (
    select
        user_id, source_id, metric_date, count(*) as lead_count, count(*) filter (where is_converted) as converted_lead_count,
        0 as new_customer_count, 0 as active_customer_count, 0 as order_count, 0 as repeat_order_count
    from leads
    group by user_id, source_id, metric_date
    union all
    select
        user_id, source_id, metric_date, 0 as lead_count, 0 as converted_lead_count, count(*) as new_customer_count,
        0 as active_customer_count, 0 as order_count, 0 as repeat_order_count
    from customers
    group by user_id, source_id, metric_date
    union all
    select
        user_id, source_id, metric_date, 0 as lead_count, 0 as converted_lead_count, 0 as new_customer_count,
        count(distinct person_key) as active_customer_count, count(*) as order_count,
        count(*) filter (where nth_of_person > 1 and person_key is not null) as repeat_order_count
    from orders
    group by user_id, source_id, metric_date
    union all
    select
        user_id, source_id, metric_date, 0 as lead_count, 0 as converted_lead_count, 0 as new_customer_count,
        0 as active_customer_count, 0 as order_count, 0 as repeat_order_count
    from revenue
    {% if is_incremental() %}
        union all
        select
        user_id, source_id, metric_date, 0 as lead_count, 0 as converted_lead_count, 0 as new_customer_count,
        0 as active_customer_count, 0 as order_count, 0 as repeat_order_count
        from {{ this }}
    {% endif %}
),

daily as (
    select
        user_id,
        source_id,
        metric_date,
        cast(sum(lead_count) as bigint) as lead_count,
        cast(sum(converted_lead_count) as bigint) as converted_lead_count,
        cast(sum(new_customer_count) as bigint) as new_customer_count,
        cast(sum(active_customer_count) as bigint) as active_customer_count,
        cast(sum(order_count) as bigint) as order_count,
        cast(sum(repeat_order_count) as bigint) as repeat_order_count
    from counted
    group by user_id, source_id, metric_date
),

metrics as (
    select
        daily.user_id || '/' || daily.source_id || '/' || cast(daily.metric_date as text) as metric_key,
        daily.*,
        cast(coalesce(revenue.gross_amount, 0) as numeric(38, 4)) as gross_amount,
        cast(coalesce(revenue.refunded_amount, 0) as numeric(38, 4)) as refunded_amount,
        cast(coalesce(revenue.gross_amount, 0) - coalesce(revenue.refunded_amount, 0) as numeric(38, 4)) as net_amount,
        cast(coalesce(revenue.unconverted_order_count, 0) as bigint) as unconverted_order_count,
        coalesce(users.currency, 'EUR') as currency
    from daily
    left join revenue
        on
            daily.user_id = revenue.user_id
            and daily.source_id = revenue.source_id
            and daily.metric_date = revenue.metric_date
    left join users on daily.user_id = users.user_id
)

select
    metric_key,
    user_id,
    source_id,
    metric_date,
    {{ measures | join(', ') }},
    {{ ratio('gross_amount', 'order_count') }} as average_order_amount,
    {{ ratio('repeat_order_count', 'order_count', scale=6) }} as repeat_share,
    {{ ratio('converted_lead_count', 'lead_count', scale=6) }} as conversion_share,
    {{ current_moment() }} as restated_at
from metrics
{{ only_changed('metrics', 'metric_key', measures) }}
