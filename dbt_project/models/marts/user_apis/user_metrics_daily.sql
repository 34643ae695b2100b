with sources as (
    select * from {{ ref('source_metrics_daily') }}
),

users as (
    select user_id, time_zone from {{ ref('stg_user_apis__users') }}
    where not is_deleted
),

-- A person who orders in two sources is one active customer of the user.
persons as (
    select
        orders.user_id,
        cast(timezone(coalesce(users.time_zone, 'UTC'), orders.ordered_at) as date) as metric_date,
        count(distinct orders.person_key) as active_customer_count
    from {{ ref('orders_clean') }} as orders
    left join users on orders.user_id = users.user_id
    where orders.is_paid
    group by orders.user_id, cast(timezone(coalesce(users.time_zone, 'UTC'), orders.ordered_at) as date)
)

select
    sources.user_id || '/' || cast(sources.metric_date as text) as metric_key,
    sources.user_id,
    sources.metric_date,
    cast(sum(sources.lead_count) as bigint) as lead_count,
    cast(sum(sources.converted_lead_count) as bigint) as converted_lead_count,
    cast(sum(sources.new_customer_count) as bigint) as new_customer_count,
    cast(coalesce(max(persons.active_customer_count), 0) as bigint) as active_customer_count,
    cast(sum(sources.order_count) as bigint) as order_count,
    cast(sum(sources.gross_amount) as numeric(38, 4)) as gross_amount,
    cast(sum(sources.refunded_amount) as numeric(38, 4)) as refunded_amount,
    cast(sum(sources.net_amount) as numeric(38, 4)) as net_amount,
    cast(sum(sources.unconverted_order_count) as bigint) as unconverted_order_count,
    max(sources.currency) as currency,
    {{ ratio('sum(sources.gross_amount)', 'sum(sources.order_count)') }} as average_order_amount
from sources
left join persons on sources.user_id = persons.user_id and sources.metric_date = persons.metric_date
group by sources.user_id, sources.metric_date
