{# Who wins, per currency: awards only. Individuals have no INN and are known by name alone, which two people may share. #}
with awards as (
    select * from {{ ref('deals') }}
    where is_award and supplier_key is not null and deal_amount is not null
),

names as (
    select distinct on (supplier_key)
        supplier_key,
        supplier_inn,
        supplier_name,
        supplier_region_name
    from awards
    order by supplier_key asc, deal_at desc nulls last, deal_key asc
),

organisations as (
    select
        supplier_key,
        connection,
        currency,
        count(*) as deal_count,
        count(distinct buyer_key) as buyer_count,
        sum(deal_amount) as deal_amount,
        sum(case when is_competitive then deal_amount else 0 end) as competitive_amount,
        sum(saving_amount) as saving_amount,
        sum(case when saving_amount is not null then start_amount end) as compared_start_amount,
        min(deal_date) as first_deal_date,
        max(deal_date) as last_deal_date
    from awards
    group by supplier_key, connection, currency
)

select
    organisations.supplier_key || ':' || organisations.currency as supplier_currency_key,
    organisations.supplier_key,
    organisations.connection,
    names.supplier_inn as inn,
    names.supplier_name as name,
    names.supplier_region_name as region_name,
    organisations.supplier_key like '%:name:%' as is_individual,
    organisations.deal_count,
    organisations.buyer_count,
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
inner join names on organisations.supplier_key = names.supplier_key
