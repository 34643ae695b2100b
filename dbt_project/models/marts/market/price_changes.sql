{#
Each step from one real price to the next (price_history says what is real): what a shop shows while sold out is no price,
and a price that is missing for a while hides no step. raised_before_sale: the list price went up in the two weeks before a
discount began, and the discounted price saves less than 5 % against what was asked before that rise.
#}
{{ config(materialized='incremental', unique_key='product_key', indexes=indexes(['product_key', 'built_at'])) }}

{% set offer = 'partition by product_key, sku_key order by change_number' %}

with touched as (
    select distinct product_key from {{ ref('price_history') }} as prices
    where {{ is_new_for('prices') }}
),

{# A list price that is missing, or below the price, is none: the last one stands. #}
listed as (
    select
        prices.*,
        case when prices.full_price_amount >= prices.price_amount then prices.full_price_amount end as list_price_amount,
        count(*) filter (where prices.full_price_amount >= prices.price_amount)
            over (partition by prices.product_key, prices.sku_key order by prices.change_number) as list_price_number
    from {{ ref('price_history') }} as prices
    inner join touched on prices.product_key = touched.product_key
    where prices.is_real
),

carried as (
    select
        listed.*,
        max(list_price_amount) over (partition by product_key, sku_key, list_price_number) as standing_list_price_amount
    from listed
),

steps as (
    select
        carried.*,
        lag(price_key) over ({{ offer }}) as old_price_key,
        lag(price_amount) over ({{ offer }}) as old_price_amount,
        lag(standing_list_price_amount) over ({{ offer }}) as old_full_price_amount,
        lag(discount_percent) over ({{ offer }}) as old_discount_percent,
        lag(real_from) over ({{ offer }}) as old_valid_from
    from carried
),

{# The first rise of the list price in the two weeks before, and what was asked just before it. #}
raised as (
    select distinct on (steps.price_key)
        steps.price_key,
        rise.old_price_amount as usual_price_amount,
        rise.real_from as raised_at
    from steps
    inner join steps as rise
        on
            steps.product_key = rise.product_key
            and steps.sku_key = rise.sku_key
            and steps.change_number >= rise.change_number
            and rise.real_from >= steps.real_from - interval '14 days'
            and rise.list_price_amount > rise.old_full_price_amount
    where steps.price_amount < steps.full_price_amount
    order by steps.price_key, rise.change_number
)

select
    steps.price_key as price_change_key,
    steps.sku_key,
    steps.product_key,
    steps.connection,
    steps.real_from as changed_at,
    {{ local_date('steps.real_from') }} as change_date,
    steps.old_price_amount,
    steps.price_amount,
    steps.old_full_price_amount,
    steps.full_price_amount,
    steps.currency,
    {{ money('steps.price_amount - steps.old_price_amount') }} as change_amount,
    {{ ratio('steps.price_amount - steps.old_price_amount', 'steps.old_price_amount', 100) }} as change_percent,
    steps.discount_percent,
    steps.old_discount_percent,
    {{ days_between('steps.real_from', 'steps.old_valid_from') }} as days_at_old_price,
    {{ money("raised.usual_price_amount") }} as usual_price_amount,
    raised.raised_at,
    {{ ratio('raised.usual_price_amount - steps.price_amount', 'raised.usual_price_amount', 100) }} as true_saving_percent,
    coalesce(steps.price_amount > {{ product('raised.usual_price_amount', 0.95) }}, false) as is_raised_before_sale,
    steps.is_return,
    {{ current_moment() }} as built_at
from steps
left join raised on steps.price_key = raised.price_key
where
    steps.old_price_key is not null
    and (
        steps.price_amount <> steps.old_price_amount
        or steps.standing_list_price_amount is distinct from steps.old_full_price_amount
    )
