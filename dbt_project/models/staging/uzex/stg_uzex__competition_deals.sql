{#
Every version of competitions that have a winner, one deal each. Who won is told as soon as one party did; several
winners stand in stg_uzex__competition_winners. UZEX publishes the price asked for, and rarely the winner's.
#}
{{ config(unique_key='load_id') }}

{% set columns = uzex_deal_columns() + [
    {'name': 'announced_amount', 'path': 'cost', 'type': 'numeric(18, 2)'},
    {'name': 'opened_at', 'path': ['date_of_opening_offers', 'end_date_submitting_offers'], 'type': 'local_timestamp'},
    {'name': 'winners', 'path': ['winners_ids', 'winners_id'], 'type': 'list'},
] %}

with documents as ({{ document_versions('raw_uzex', 'competition_details') }}),

unpacked as ({{ unpack('documents', columns, keep=version_columns()) }}),

versions as (
    select
        unpacked.*,
        {{ version_key('unpacked') }} as version_key
    from unpacked
),

winners as (
    select
        versions.version_key,
        count(*) as winner_count,
        max({{ uzex_winner_field('winner.value', ['winner_inn', 'provider_inn', 'inn']) }}) as winner_inn,
        max({{ uzex_winner_field('winner.value', ['winner_name', 'provider_name', 'name', 'fullname']) }}) as winner_name,
        max({{ cast_text(uzex_winner_field('winner.value', ['cost', 'price']), 'numeric(18, 2)') }}) as award_amount
    from versions
    cross join lateral {{ json_elements('versions.winners', 'winner') }}
    group by versions.version_key
)

select
    versions.version_key as deal_version_key,
    versions.connection || ':competition:' || versions.document_key as deal_key,
    versions.connection,
    'competition' as module,
    {{ cast_text('versions.document_key', 'integer') }} as lot_id,
    versions.deal_id,
    versions.display_no,
    coalesce(versions.deal_at, versions.opened_at) as deal_at,
    versions.lot_started_at,
    versions.lot_ended_at,
    versions.category_name,
    versions.product_name,
    versions.product_code,
    versions.quantity,
    versions.unit_name,
    versions.announced_amount as start_amount,
    case when winners.winner_count = 1 then winners.award_amount end as deal_amount,
    {{ currency_code('versions.currency_name') }} as currency,
    versions.price_step_count,
    versions.participant_count,
    versions.buyer_inn,
    versions.buyer_name,
    versions.buyer_region_name,
    case when winners.winner_count = 1 then winners.winner_inn end as supplier_inn,
    case when winners.winner_count = 1 then winners.winner_name end as supplier_name,
    versions.supplier_region_name,
    versions.is_budget,
    versions.deal_status,
    versions.payment_status,
    versions.treasury_status_id,
    versions.treasury_registered_at,
    versions.is_deleted,
    versions.landed_at,
    versions.load_id,
    versions.built_at,
    versions.cast_failures,
    versions.rejects
from versions
inner join winners on versions.version_key = winners.version_key
