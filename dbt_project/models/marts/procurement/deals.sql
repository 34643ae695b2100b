{#
Every deal of every module, its newest version; the first time its treasury status said paid comes from the history.
is_award: money was committed, as far as the status says so: rows that are rejected, cancelled, still pending or of a
status that nobody knows are none. Lists of concluded auctions and of contracts say so without a status.
Amounts are in the deal's currency; nothing here is summed.
#}
{{ config(materialized='incremental', unique_key='deal_key') }}

{% set modules = ['auction_deals', 'shop_deals', 'national_deals', 'etender_deals', 'direct_purchases', 'competition_deals'] %}

with versions as (
    {% for module in modules %}
    select * from {{ ref('stg_uzex__' ~ module) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

touched as (
    select deal_key from versions
    where {{ is_new_for('versions') }}
),

histories as (
    select
        versions.*,
        {{ is_paid('versions.payment_status') }} as is_paid,
        {{ deal_outcome(
            'versions.deal_status', silence="case when versions.module in ('auction', 'direct') then 'award' else 'unknown' end"
        ) }} as outcome,
        row_number() over (
            partition by versions.deal_key order by versions.landed_at desc, versions.load_id desc
        ) as recency
    from versions
    where versions.deal_key in (select touched.deal_key from touched)
),

payments as (
    select
        deal_key,
        min(landed_at) as first_seen_at,
        min(case when is_paid then landed_at end) as paid_seen_at,
        max(case when not is_paid then landed_at end) as unpaid_seen_at
    from histories
    group by deal_key
)

select
    histories.deal_key,
    histories.connection,
    histories.module,
    histories.lot_id,
    histories.deal_id,
    histories.display_no,
    histories.deal_at,
    {{ local_date('histories.deal_at') }} as deal_date,
    histories.category_name,
    histories.product_name,
    histories.product_code,
    histories.quantity,
    histories.unit_name,
    histories.start_amount,
    histories.deal_amount,
    histories.currency,
    {{ money('histories.start_amount - histories.deal_amount') }} as saving_amount,
    {{ ratio('histories.start_amount - histories.deal_amount', 'histories.start_amount', 100) }} as saving_percent,
    case when histories.module = 'auction' then histories.price_step_count end as price_step_count,
    histories.participant_count,
    histories.connection || ':' || {{ organisation_key('histories.buyer_inn', 'histories.buyer_name') }} as buyer_key,
    histories.buyer_inn,
    histories.buyer_name,
    histories.buyer_region_name,
    histories.connection || ':' || {{ organisation_key('histories.supplier_inn', 'histories.supplier_name') }} as supplier_key,
    histories.supplier_inn,
    histories.supplier_name,
    histories.supplier_region_name,
    coalesce(histories.is_budget, histories.module <> 'direct') as is_budget,
    histories.deal_status,
    histories.outcome,
    histories.outcome = 'award' and not histories.is_deleted as is_award,
    histories.module <> 'direct' as is_competitive,
    histories.payment_status,
    coalesce(histories.is_paid, false) as is_paid,
    histories.treasury_registered_at,
    payments.first_seen_at,
    payments.paid_seen_at,
    payments.unpaid_seen_at,
    {{ current_moment() }} as built_at
from histories
inner join payments on histories.deal_key = payments.deal_key
where histories.recency = 1
