{#
Sales of each product over the last 7, 30 and 90 days, and the 30 before them. Windows inside a period count whole;
of one that begins before it the estimate takes the part by days, low takes none of it and high all.
Made anew are products that changed, and those with a window that a period leaves behind as its days move on: with the
end of the data at `last_date`, a window counts in part or not at all where it reaches back over last_date - days.
#}
{{ config(materialized='incremental', unique_key='product_key', indexes=indexes(['product_key', 'built_at'])) }}

{% set periods = [7, 30, 60, 90] %}

with horizon as (
    select connection, max(to_date) as last_date
    from {{ ref('sales_windows') }}
    group by connection
),

touched as (
    select products.product_key from {{ ref('market_products') }} as products
    where {{ is_new_for('products') }}
    {% if is_incremental() %}
    union
    select windows.product_key from {{ ref('sales_windows') }} as windows
    where {{ is_new_for('windows') }}
    union
    select windows.product_key
    from {{ ref('sales_windows') }} as windows
    inner join horizon on windows.connection = horizon.connection
    inner join (
        select connection, max(as_of_date) as last_date from {{ this }}
        group by connection
    ) as before on windows.connection = before.connection
    where
        before.last_date < horizon.last_date and not windows.is_first_sight
        and (
            {% for days in periods %}
            (
                windows.to_date > before.last_date - {{ days }}
                and windows.to_date - greatest(windows.window_days, 1) < horizon.last_date - {{ days }}
            )
            {% if not loop.last %}or{% endif %}
            {% endfor %}
        )
    {% endif %}
),

windows as (
    select
        windows.product_key,
        windows.units_sold,
        windows.units_low,
        windows.units_high,
        windows.unit_price_amount,
        greatest(windows.window_days, 1) as window_days,
        horizon.last_date - windows.to_date as days_ago
    from {{ ref('sales_windows') }} as windows
    inner join touched on windows.product_key = touched.product_key
    inner join horizon on windows.connection = horizon.connection
    where windows.to_date > horizon.last_date - 90 and not windows.is_first_sight
),

parted as (
    select
        windows.*,
        {% for days in periods %}
        {{ ratio('least(greatest(' ~ days ~ ' - days_ago, 0), window_days)', 'window_days', scale=6) }} as part_{{ days }},
        {% endfor %}
        units_high is null as is_unbounded
    from windows
),

sums as (
    select
        product_key,
        {% for days in [7, 30, 90] %}
        sum({{ product('units_sold', 'part_' ~ days) }}) as units_{{ days }}d,
        sum(case when part_{{ days }} = 1 then units_low else 0 end) as units_low_{{ days }}d,
        case
            when bool_or(is_unbounded and part_{{ days }} > 0) then null
            else sum(case when part_{{ days }} > 0 then units_high else 0 end)
        end as units_high_{{ days }}d,
        sum({{ product('unit_price_amount', 'units_sold', 'part_' ~ days) }}) as revenue_{{ days }}d_amount,
        {% endfor %}
        sum({{ product('units_sold', 'part_60 - part_30') }}) as units_previous_30d
    from parted
    group by product_key
)

select
    products.product_key,
    products.connection,
    products.category_key,
    products.seller_key,
    horizon.last_date as as_of_date,
    {% for days in [7, 30, 90] %}
    cast(coalesce(sums.units_{{ days }}d, 0) as numeric(18, 2)) as units_{{ days }}d,
    {{ whole('coalesce(sums.units_low_' ~ days ~ 'd, 0)') }} as units_low_{{ days }}d,
    {{ whole('case when sums.product_key is null then 0 else sums.units_high_' ~ days ~ 'd end') }} as units_high_{{ days }}d,
    {{ money('coalesce(sums.revenue_' ~ days ~ 'd_amount, 0)') }} as revenue_{{ days }}d_amount,
    {% endfor %}
    products.currency,
    cast(coalesce(sums.units_previous_30d, 0) as numeric(18, 2)) as units_previous_30d,
    {{ ratio('coalesce(sums.units_30d, 0) - sums.units_previous_30d', 'sums.units_previous_30d', 100) }} as growth_percent,
    products.available_quantity,
    {{ ratio('products.available_quantity', 'sums.units_30d', 30) }} as days_of_stock,
    {{ current_moment() }} as built_at
from {{ ref('market_products') }} as products
inner join touched on products.product_key = touched.product_key
inner join horizon on products.connection = horizon.connection
left join sums on products.product_key = sums.product_key
