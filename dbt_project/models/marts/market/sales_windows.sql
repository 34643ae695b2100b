{#
One row per version of a product: what was sold between the last visit before it and the visit that found it.
The window begins at the last visit on which nothing had changed (crawl_visits), so a visit without a change
shortens it. Units come from the lifetime counter ordersAmount; where that fell or is missing, from stock.
Rows from the earliest new version on are made anew.
#}
{{ config(
    materialized='incremental', unique_key='product_version_key',
    indexes=indexes(['product_version_key', 'built_at', 'product_key'])
) }}

with changed as (
    select versions.product_key, versions.landed_at as since
    from {{ ref('stg_uzum__products') }} as versions
    where {{ is_new_for('versions') }}
    {% if is_incremental() %}
    union all
    {# A visit that was loaded late shortens windows that are here already. #}
    select windows.product_key, windows.window_to as since
    from {{ this }} as windows
    inner join {{ ref('crawl_visits') }} as visits
        on
            windows.connection = visits.connection
            and cast(floor(windows.product_id / 1000.0) as bigint) = visits.id_block
            and windows.product_id between visits.first_id and visits.last_id
            and visits.observed_at > windows.window_from
            and visits.observed_at < windows.window_to
    where {{ is_new_for('visits') }} and visits.observed_at < (select max(newest.window_to) from {{ this }} as newest)
    {% endif %}
),

touched as (
    select product_key, min(since) as since
    from changed
    group by product_key
),

versions as (
    select
        versions.product_version_key,
        versions.product_key,
        versions.connection,
        versions.product_id,
        versions.category_id,
        versions.seller_id,
        versions.orders_count,
        versions.available_quantity,
        versions.landed_at,
        versions.load_id,
        versions.is_deleted,
        touched.since,
        row_number() over (partition by versions.product_key order by versions.landed_at, versions.load_id) as version_number,
        lead(versions.landed_at) over (partition by versions.product_key order by versions.landed_at, versions.load_id) as next_at
    from {{ ref('stg_uzum__products') }} as versions
    inner join touched on versions.product_key = touched.product_key
),

living as (
    select
        versions.*,
        lag(landed_at) over (partition by product_key order by version_number) as previous_at,
        lag(next_at) over (partition by product_key order by version_number) as previous_next_at,
        lag(version_number) over (partition by product_key order by version_number) as previous_number,
        lag(orders_count) over (partition by product_key order by version_number) as previous_orders_count
    from versions
    where not is_deleted
),

visited as (
    select
        living.product_version_key,
        max(visits.observed_at) as last_visit_at
    from living
    inner join {{ ref('crawl_visits') }} as visits
        on
            living.connection = visits.connection
            and cast(floor(living.product_id / 1000.0) as bigint) = visits.id_block
            and living.product_id between visits.first_id and visits.last_id
            and living.previous_at <= visits.observed_at
            and living.previous_next_at > visits.observed_at
    where living.landed_at >= living.since
    group by living.product_version_key
),

stock as (
    select
        changes.product_version_key,
        sum(changes.sold_from_stock) as stock_units,
        sum(changes.restocked_quantity) as restocked_units,
        bool_or(changes.sold_from_stock = 0 and changes.restocked_quantity = 0 and changes.available_quantity > 0)
            as has_still_stock,
        sum({{ product('changes.price_amount', 'changes.sold_from_stock') }}) as sold_value,
        sum(case when changes.price_amount is not null then changes.sold_from_stock end) as priced_units,
        {{ median('changes.price_amount') }} as median_price,
        least(min(changes.price_amount), min(changes.previous_price_amount)) as lowest_price_amount,
        greatest(max(changes.price_amount), max(changes.previous_price_amount)) as highest_price_amount
    from {{ ref('sku_stock_changes') }} as changes
    inner join living on changes.product_version_key = living.product_version_key
    where living.landed_at >= living.since
    group by changes.product_version_key
),

measured as (
    select
        living.*,
        coalesce(visited.last_visit_at, living.previous_at) as window_from,
        living.orders_count - living.previous_orders_count as counter_change,
        {{ whole('stock.stock_units') }} as stock_units,
        {{ whole('stock.restocked_units') }} as restocked_units,
        stock.has_still_stock,
        {{ money('coalesce(' ~ ratio('stock.sold_value', 'stock.priced_units', scale=2) ~ ', stock.median_price)') }}
            as unit_price_amount,
        stock.lowest_price_amount,
        stock.highest_price_amount
    from living
    left join visited on living.product_version_key = visited.product_version_key
    left join stock on living.product_version_key = stock.product_version_key
    where living.landed_at >= living.since
),

estimated as (
    select
        measured.*,
        previous_at is null as is_first_sight,
        coalesce(counter_change < 0, false) as is_counter_reset,
        {# More was ordered than the stock fell: some came in and hid it, or a stock that stood still shows a cap. #}
        coalesce(restocked_units > 0 or (counter_change > stock_units and not has_still_stock), false) as is_restocked,
        coalesce(counter_change > stock_units and restocked_units = 0 and has_still_stock, false) as is_capped,
        case
            when previous_at is null then 'first_sight'
            when counter_change >= 0 then 'orders'
            when stock_units is not null then 'stock'
            else 'unknown'
        end as method
    from measured
)

select
    product_version_key,
    product_key,
    connection,
    product_id,
    connection || ':' || cast(category_id as text) as category_key,
    connection || ':' || cast(seller_id as text) as seller_key,
    window_from,
    landed_at as window_to,
    {{ local_date('window_from') }} as from_date,
    {{ local_date('landed_at') }} as to_date,
    cast({{ local_date('landed_at') }} - {{ local_date('window_from') }} as integer) as window_days,
    method,
    case when method = 'orders' then counter_change when method = 'stock' then stock_units end as units_sold,
    case when method = 'orders' then counter_change when method = 'stock' then 0 end as units_low,
    case
        when method = 'orders' then counter_change
        when method = 'stock' and not is_restocked and not is_capped then stock_units
    end as units_high,
    case when method <> 'first_sight' and not is_counter_reset then counter_change end as orders_units,
    case when method <> 'first_sight' then stock_units end as stock_units,
    case when method <> 'first_sight' and not is_restocked and not is_capped then stock_units end as stock_units_high,
    case when method <> 'first_sight' then restocked_units end as restocked_units,
    is_first_sight,
    coalesce(previous_number < version_number - 1, false) as is_return,
    is_counter_reset,
    is_restocked,
    is_capped,
    unit_price_amount,
    {{ money("lowest_price_amount") }} as lowest_price_amount,
    {{ money("highest_price_amount") }} as highest_price_amount,
    'UZS' as currency,
    orders_count,
    available_quantity,
    {{ current_moment() }} as built_at
from estimated
