{# Money awarded per category and month, with the share bought without competition. Currencies stand apart. #}
with awards as (
    select
        deals.*,
        coalesce(category_name, '?') as category,
        cast(date_trunc('month', deal_date) as date) as deal_month
    from {{ ref('deals') }} as deals
    where is_award and deal_amount is not null and deal_date is not null
),

spend as (
    select
        connection,
        category,
        deal_month,
        currency,
        count(*) as deal_count,
        count(distinct buyer_key) as buyer_count,
        count(distinct supplier_key) as supplier_count,
        sum(deal_amount) as deal_amount,
        sum(case when not is_competitive then deal_amount else 0 end) as direct_amount
    from awards
    group by connection, category, deal_month, currency
)

select
    connection || ':' || category || ':' || cast(deal_month as text) || ':' || currency as category_spend_key,
    connection,
    category as category_name,
    deal_month,
    deal_count,
    buyer_count,
    supplier_count,
    {{ money('deal_amount') }} as deal_amount,
    currency,
    {{ ratio('direct_amount', 'deal_amount', 100) }} as direct_percent,
    {{ ratio('deal_amount', 'sum(deal_amount) over (partition by connection, deal_month, currency)', 100) }}
        as share_of_month_percent
from spend
