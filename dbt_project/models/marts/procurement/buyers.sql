{# Who buys, per currency: awards only. #}
with awards as (
    select * from {{ ref('deals') }}
    where is_award and buyer_key is not null and deal_amount is not null
),

names as (
    select distinct on (buyer_key)
        buyer_key,
        buyer_inn,
        buyer_name,
        buyer_region_name
    from awards
    order by buyer_key asc, deal_at desc nulls last, deal_key asc
),

organisations as (
    select
        buyer_key,
        connection,
        currency,
        count(*) as deal_count,
        count(distinct supplier_key) as supplier_count,
        sum(deal_amount) as deal_amount,
        sum(case when is_competitive then deal_amount else 0 end) as competitive_amount,
        sum(saving_amount) as saving_amount,
        sum(case when saving_amount is not null then start_amount end) as compared_start_amount,
        min(deal_date) as first_deal_date,
        max(deal_date) as last_deal_date
    from awards
    group by buyer_key, connection, currency
)

select
    organisations.buyer_key || ':' || organisations.currency as buyer_currency_key,
    organisations.buyer_key,
    organisations.connection,
    names.buyer_inn as inn,
    names.buyer_name as name,
    names.buyer_region_name as region_name,
    organisations.deal_count,
    organisations.supplier_count,
    {{ money('organisations.deal_amount') }} as deal_amount,
    organisations.currency,
    {{ ratio('organisations.competitive_amount', 'organisations.deal_amount', 100) }} as competitive_percent,
    {{ ratio('organisations.saving_amount', 'organisations.compared_start_amount', 100) }} as saving_percent,
    organisations.first_deal_date,
    organisations.last_deal_date,
    rank() over (
        partition by organisations.connection, organisations.currency order by organisations.deal_amount desc
    ) as position
from organisations
inner join names on organisations.buyer_key = names.buyer_key
