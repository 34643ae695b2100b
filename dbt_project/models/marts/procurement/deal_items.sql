{#
What was bought, one row per item: the items of auctions, tenders, competitions and direct purchases, and e-shop deals,
which are one item each. Lines of tenders and competitions are priced at the start price: unit prices of the deal scale
them down; where the deal's price is not published they stay as announced, and say so.
#}
with items as (
    {% for model in ['auction_deal_items', 'etender_items', 'direct_items', 'competition_items'] %}
    select
        item_key, connection, module, parent_id, position, product_code, product_name, category_name, quantity,
        price_amount, cost_amount, currency, unit_name, country_name
    from {{ ref('stg_uzex__' ~ model) }}
    where not is_deleted
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

deals as (
    select
        deals.*,
        case deals.module when 'direct' then deals.deal_id else deals.lot_id end as parent_id
    from {{ ref('deals') }} as deals
),

from_details as (
    select
        items.item_key,
        deals.deal_key,
        items.position,
        items.product_code,
        items.product_name,
        coalesce(items.category_name, deals.category_name) as category_name,
        items.quantity,
        items.unit_name,
        case
            when items.module in ('etender', 'competition') and deals.deal_amount is not null
                then {{ ratio(product('items.price_amount', 'deals.deal_amount'), 'deals.start_amount', scale=2, digits=4) }}
            else items.price_amount
        end as unit_price_amount,
        case
            when items.module in ('etender', 'competition') and deals.deal_amount is not null
                then {{ ratio(product('items.cost_amount', 'deals.deal_amount'), 'deals.start_amount', scale=2, digits=4) }}
            else items.cost_amount
        end as cost_amount,
        items.country_name,
        items.module in ('etender', 'competition') and deals.deal_amount is null as is_announced_price
    from items
    inner join deals
        on items.connection = deals.connection and items.module = deals.module and items.parent_id = deals.parent_id
),

from_deals as (
    select
        deals.deal_key || ':item' as item_key,
        deals.deal_key,
        cast(1 as bigint) as position,
        deals.product_code,
        coalesce(deals.product_name, deals.category_name) as product_name,
        deals.category_name,
        deals.quantity,
        deals.unit_name,
        {{ ratio('deals.deal_amount', 'deals.quantity', scale=2) }} as unit_price_amount,
        deals.deal_amount as cost_amount,
        cast(null as text) as country_name,
        false as is_announced_price
    from deals
    where deals.module in ('shop', 'national')
),

united as (
    select * from from_details
    union all
    select * from from_deals
)

select
    united.item_key as deal_item_key,
    united.deal_key,
    deals.connection,
    deals.module,
    deals.deal_date,
    united.position,
    united.product_code,
    united.product_name,
    coalesce(united.product_code, nullif({{ plain_words('united.product_name') }}, '')) as product_group,
    united.category_name,
    united.quantity,
    united.unit_name,
    {{ money('united.unit_price_amount') }} as unit_price_amount,
    {{ money('united.cost_amount') }} as cost_amount,
    deals.currency,
    united.is_announced_price,
    united.country_name,
    deals.buyer_key,
    deals.supplier_key,
    deals.is_award
from united
inner join deals on united.deal_key = deals.deal_key
