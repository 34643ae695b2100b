{#
Stretches of time in which a SKU stood at nothing although its product was listed, and what that may have cost: the
daily units of the 30 days before, at the last price. A SKU without sales before has no loss.
#}
with changes as (
    select
        sku_key,
        product_key,
        connection,
        observed_at,
        available_quantity,
        price_amount,
        currency,
        is_return,
        row_number() over (partition by product_key, sku_key order by observed_at, sku_version_key) as change_number,
        lag(available_quantity) over (partition by product_key, sku_key order by observed_at, sku_version_key) as quantity_before
    from {{ ref('sku_stock_changes') }}
    where sku_key in (
        select emptied.sku_key from {{ ref('sku_stock_changes') }} as emptied
        where emptied.available_quantity = 0
    )
),

marked as (
    select
        changes.*,
        sum(case when available_quantity = 0 and (quantity_before is null or quantity_before > 0 or is_return) then 1 else 0 end)
            over (partition by product_key, sku_key order by change_number) as stretch,
        lead(observed_at) over (partition by product_key, sku_key order by change_number) as next_at
    from changes
),

stretches as (
    select
        sku_key,
        product_key,
        connection,
        stretch,
        currency,
        min(observed_at) as began_at,
        case when bool_or(next_at is null) then null else max(next_at) end as ended_at,
        max(price_amount) as price_amount
    from marked
    where available_quantity = 0
    group by sku_key, product_key, connection, stretch, currency
),

horizon as (
    select connection, max(observed_at) as last_at from {{ ref('sku_stock_changes') }}
    group by connection
),

rates as (
    select
        stretches.product_key,
        stretches.sku_key,
        stretches.stretch,
        sum(stats.sold_from_stock) as units_before,
        min(stats.stats_date) as first_date
    from stretches
    inner join {{ ref('sku_daily_stats') }} as stats
        on
            stretches.product_key = stats.product_key
            and stretches.sku_key = stats.sku_key
            and stats.stats_date <= {{ local_date('stretches.began_at') }}
            and stats.stats_date > {{ local_date('stretches.began_at') }} - 30
    group by stretches.product_key, stretches.sku_key, stretches.stretch
),

measured as (
    select
        stretches.*,
        {{ days_between('coalesce(stretches.ended_at, greatest(horizon.last_at, stretches.began_at))', 'stretches.began_at') }}
            as days_out,
        {{ ratio(
            'coalesce(rates.units_before, 0)',
            'greatest(' ~ local_date('stretches.began_at') ~ ' - rates.first_date, 1)'
        ) }} as daily_units
    from stretches
    inner join horizon on stretches.connection = horizon.connection
    left join rates
        on
            stretches.product_key = rates.product_key and stretches.sku_key = rates.sku_key
            and stretches.stretch = rates.stretch
)

select
    product_key || '/' || sku_key || ':' || cast(stretch as text) as stock_out_key,
    sku_key,
    product_key,
    connection,
    began_at,
    ended_at,
    ended_at is null as is_open,
    days_out,
    daily_units,
    cast({{ product('daily_units', 'days_out') }} as numeric(38, 2)) as lost_units,
    {{ money(product('daily_units', 'days_out', 'price_amount')) }} as lost_revenue_amount,
    currency
from measured
