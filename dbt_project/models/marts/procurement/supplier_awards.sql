{#
How a buyer's awards in a category fall on suppliers, over the whole history: share of deals and money, repeats. Losing
bidders are not published, so the 2 % steps of a reverse auction are the sign of competition: pcp_count counts
steps, not participants (dossier §2.4); a deal with at most one step had hardly a rival.
#}
with awards as (
    select deals.*, coalesce(category_name, '?') as category
    from {{ ref('deals') }} as deals
    where is_award and deal_amount is not null and buyer_key is not null and supplier_key is not null
),

pairs as (
    select
        connection,
        buyer_key,
        supplier_key,
        category,
        currency,
        max(buyer_name) as buyer_name,
        max(supplier_name) as supplier_name,
        count(*) as deal_count,
        sum(deal_amount) as deal_amount,
        avg(price_step_count) as average_price_steps,
        count(*) filter (where price_step_count <= 1) as deals_without_rival,
        min(deal_date) as first_deal_date,
        max(deal_date) as last_deal_date
    from awards
    group by connection, buyer_key, supplier_key, category, currency
)

select
    buyer_key || '>' || supplier_key || ':' || category || ':' || currency as supplier_award_key,
    connection,
    buyer_key,
    buyer_name,
    supplier_key,
    supplier_name,
    category as category_name,
    deal_count,
    {{ money('deal_amount') }} as deal_amount,
    currency,
    {{ ratio('deal_count', 'sum(deal_count) over (partition by buyer_key, category, currency)', 100) }} as share_of_deals_percent,
    {{ ratio('deal_amount', 'sum(deal_amount) over (partition by buyer_key, category, currency)', 100) }}
        as share_of_amount_percent,
    {{ whole('sum(deal_count) over (partition by buyer_key, category, currency)') }} as buyer_deal_count,
    deal_count > 1 as is_repeat_pair,
    cast(average_price_steps as numeric(18, 4)) as average_price_steps,
    deals_without_rival,
    first_deal_date,
    last_deal_date
from pairs
