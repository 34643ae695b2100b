{# Winners of a competition, given as objects and again as a JSON text (dossier §2.4): whichever is there. #}
{{ config(unique_key='parent_key', pre_hook='{{ forget_changed_documents("competition:") }}') }}

{% set columns = [
    {'name': 'winners', 'path': ['winners_ids', 'winners_id'], 'type': 'list'},
] %}

with documents as ({{ latest_documents('raw_uzex', 'competition_details') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    unpacked.connection || ':competition:' || unpacked.document_key || ':' || cast(winner.position as text) as winner_key,
    unpacked.connection || ':competition:' || unpacked.document_key as parent_key,
    unpacked.connection,
    {{ uzex_winner_field('winner.value', ['winner_name', 'provider_name', 'name', 'fullname']) }} as winner_name,
    {{ uzex_winner_field('winner.value', ['winner_inn', 'provider_inn', 'inn']) }} as winner_inn,
    {{ cast_text(uzex_winner_field('winner.value', ['cost', 'price']), 'numeric(18, 2)') }} as award_amount,
    unpacked.is_deleted,
    unpacked.landed_at,
    case when coalesce(winner.position, 1) = 1 then unpacked.rejects end as rejects,
    winner.position is null as is_put_aside
from unpacked
left join lateral {{ json_elements('unpacked.winners', 'winner') }} on true
where winner.position is not null or unpacked.rejects is not null
