{#
What the seller's own shops earned, per product and day of order, from the Seller API: lines of all schemes, less
returns, commission and logistics, and the expenses booked on a SKU. Cancelled lines stay with quantity 0 and count nothing.
#}
with lines as (
    select
        connection,
        shop_id,
        product_id,
        order_date,
        currency,
        greatest(coalesce(quantity, 0) - coalesce(returned_quantity, 0), 0) as kept_quantity,
        coalesce(quantity, 0) as quantity,
        coalesce(returned_quantity, 0) as returned_quantity,
        price_amount,
        case when coalesce(quantity, 0) > 0 then coalesce(commission_amount, 0) else 0 end as commission_amount,
        case when coalesce(quantity, 0) > 0 then coalesce(logistics_amount, 0) else 0 end as logistics_amount,
        purchase_price_amount
    from {{ ref('stg_uzum__seller_orders') }}
    where not is_deleted and order_date is not null
),

skus as (
    select connection, sku_id, max(product_key) as product_key
    from {{ ref('stg_uzum__seller_products') }}
    group by connection, sku_id
),

expenses as (
    select
        expenses.connection,
        expenses.shop_id,
        {{ cast_text("split_part(skus.product_key, ':', 2)", 'integer') }} as product_id,
        expenses.expense_date as order_date,
        expenses.currency,
        sum(expenses.expense_amount) as expense_amount
    from {{ ref('stg_uzum__seller_expenses') }} as expenses
    left join skus on expenses.connection = skus.connection and expenses.sku_id = skus.sku_id
    where not expenses.is_deleted and expenses.expense_date is not null and coalesce(expenses.direction, 'OUTCOME') <> 'INCOME'
    group by
        expenses.connection, expenses.shop_id, {{ cast_text("split_part(skus.product_key, ':', 2)", 'integer') }},
        expenses.expense_date, expenses.currency
),

sales as (
    select
        connection,
        shop_id,
        product_id,
        order_date,
        currency,
        sum(quantity) as units_ordered,
        sum(returned_quantity) as units_returned,
        sum({{ product('price_amount', 'kept_quantity') }}) as revenue_amount,
        sum(commission_amount) as commission_amount,
        sum(logistics_amount) as logistics_amount,
        sum({{ product('purchase_price_amount', 'kept_quantity') }}) as goods_cost_amount
    from lines
    group by connection, shop_id, product_id, order_date, currency
),

joined as (
    select
        coalesce(sales.connection, expenses.connection) as connection,
        coalesce(sales.shop_id, expenses.shop_id) as shop_id,
        coalesce(sales.product_id, expenses.product_id) as product_id,
        coalesce(sales.order_date, expenses.order_date) as profit_date,
        coalesce(sales.currency, expenses.currency) as currency,
        coalesce(sales.units_ordered, 0) as units_ordered,
        coalesce(sales.units_returned, 0) as units_returned,
        coalesce(sales.revenue_amount, 0) as revenue_amount,
        coalesce(sales.commission_amount, 0) as commission_amount,
        coalesce(sales.logistics_amount, 0) as logistics_amount,
        sales.goods_cost_amount,
        coalesce(expenses.expense_amount, 0) as expense_amount
    from sales
    full outer join expenses
        on
            sales.connection = expenses.connection and sales.shop_id = expenses.shop_id
            and sales.product_id = expenses.product_id and sales.order_date = expenses.order_date
            and sales.currency = expenses.currency
)

select
    connection || ':' || coalesce(shop_id, '-') || ':' || coalesce(cast(product_id as text), '-') || ':'
    || cast(profit_date as text) || ':' || coalesce(currency, '-') as profit_key,
    connection,
    shop_id,
    connection || ':' || cast(product_id as text) as product_key,
    profit_date,
    {{ whole('units_ordered') }} as units_ordered,
    {{ whole('units_returned') }} as units_returned,
    {{ money('revenue_amount') }} as revenue_amount,
    {{ money('commission_amount') }} as commission_amount,
    {{ money('logistics_amount') }} as logistics_amount,
    {{ money('expense_amount') }} as expense_amount,
    {{ money('goods_cost_amount') }} as goods_cost_amount,
    {{ money('revenue_amount - commission_amount - logistics_amount - expense_amount - coalesce(goods_cost_amount, 0)') }}
        as profit_amount,
    goods_cost_amount is null as is_without_goods_cost,
    currency
from joined
