{#
The estimate held against the truth, where a seller's own orders are loaded: units ordered per product and day
(Seller API) beside what the storefront let us conclude. The storefront connection and the seller's may differ:
products are joined by Uzum's id.
#}
with truth as (
    select product_id, order_date, sum(quantity) as true_units
    from {{ ref('stg_uzum__seller_orders') }}
    where not is_deleted and order_date is not null and product_id is not null
    group by product_id, order_date
),

own_products as (
    select distinct product_id from truth
),

span as (
    select min(order_date) as first_date, max(order_date) as last_date from truth
),

own_sales as ({{ daily_sales(of_products='own_products') }}),

estimates as (
    select sales.* from own_sales as sales
    cross join span
    where sales.sales_date between span.first_date and span.last_date and sales.state <> 'first_sight'
)

select
    estimates.product_day_key,
    estimates.product_key,
    estimates.connection,
    estimates.sales_date,
    estimates.state,
    estimates.method,
    {{ whole('coalesce(truth.true_units, 0)') }} as true_units,
    estimates.units_sold,
    estimates.units_low,
    estimates.units_high,
    estimates.stock_units,
    {{ whole('estimates.units_sold - coalesce(truth.true_units, 0)') }} as error_units,
    {{ ratio('estimates.units_sold - coalesce(truth.true_units, 0)', 'truth.true_units', 100) }} as error_percent,
    {{ whole('estimates.stock_units - coalesce(truth.true_units, 0)') }} as stock_error_units,
    coalesce(truth.true_units, 0) >= estimates.units_low
    and (estimates.units_high is null or coalesce(truth.true_units, 0) <= estimates.units_high) as is_within_interval
from estimates
left join truth on estimates.product_id = truth.product_id and estimates.sales_date = truth.order_date
