{#
Each step from one price to the next. raised_before_sale: the list price went up in the two weeks before a
discount began, and the discounted price saves less than 5 % against what was asked before that rise.
#}
{{ config(materialized='incremental', unique_key='product_key', indexes=indexes(['product_key', 'built_at'])) }}

with touched as (
    select distinct product_key from {{ ref('price_history') }} as prices
    where {{ is_new_for('prices') }}
),

steps as (
    select
        prices.*,
        lag(prices.price_amount) over (partition by prices.sku_key order by prices.change_number) as old_price_amount,
        lag(prices.full_price_amount) over (partition by prices.sku_key order by prices.change_number) as old_full_price_amount,
        lag(prices.discount_percent) over (partition by prices.sku_key order by prices.change_number) as old_discount_percent,
        lag(prices.valid_from) over (partition by prices.sku_key order by prices.change_number) as old_valid_from
    from {{ ref('price_history') }} as prices
    inner join touched on prices.product_key = touched.product_key
),

{# The first rise of the list price in the two weeks before, and what was asked just before it. #}
raised as (
    select distinct on (steps.price_key)
        steps.price_key,
        rise.old_price_amount as usual_price_amount,
        rise.valid_from as raised_at
    from steps
    inner join steps as rise
        on
            steps.sku_key = rise.sku_key
            and steps.change_number >= rise.change_number
            and rise.valid_from >= steps.valid_from - interval '14 days'
            and rise.full_price_amount > rise.old_full_price_amount
    where steps.price_amount < steps.full_price_amount
    order by steps.price_key, rise.change_number
)

select
    steps.price_key as price_change_key,
    steps.sku_key,
    steps.product_key,
    steps.connection,
    steps.valid_from as changed_at,
    {{ local_date('steps.valid_from') }} as change_date,
    steps.old_price_amount,
    steps.price_amount,
    steps.old_full_price_amount,
    steps.full_price_amount,
    steps.currency,
    {{ money('steps.price_amount - steps.old_price_amount') }} as change_amount,
    {{ ratio('steps.price_amount - steps.old_price_amount', 'steps.old_price_amount', 100) }} as change_percent,
    steps.discount_percent,
    steps.old_discount_percent,
    {{ days_between('steps.valid_from', 'steps.old_valid_from') }} as days_at_old_price,
    {{ money("raised.usual_price_amount") }} as usual_price_amount,
    raised.raised_at,
    {{ ratio('raised.usual_price_amount - steps.price_amount', 'raised.usual_price_amount', 100) }} as true_saving_percent,
    coalesce(steps.price_amount > {{ product('raised.usual_price_amount', 0.95) }}, false) as is_raised_before_sale,
    steps.is_return,
    {{ current_moment() }} as built_at
from steps
left join raised on steps.price_key = raised.price_key
where steps.change_number > 1
