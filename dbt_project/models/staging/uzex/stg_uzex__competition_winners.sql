{# Winners of a competition, given as objects and again as a JSON text (dossier §2.4): whichever is there. #}
{{ config(unique_key='parent_key', pre_hook='{{ forget_changed_documents("competition:") }}') }}

{% set columns = [
    {'name': 'winners', 'path': ['winners_ids', 'winners_id'], 'type': 'json'},
] %}

with documents as ({{ latest_documents('raw_uzex', 'competition_details') }}),

unpacked as ({{ unpack('documents', columns) }}),

parsed as (
    select connection, document_key, landed_at, is_deleted, {{ json_or_parsed('winners') }} as winners
    from unpacked
)

select
    parsed.connection || ':competition:' || parsed.document_key || ':' || cast(winner.position as text) as winner_key,
    parsed.connection || ':competition:' || parsed.document_key as parent_key,
    parsed.connection,
    {{ uzex_winner_field('winner.value', ['winner_name', 'provider_name', 'name', 'fullname']) }} as winner_name,
    {{ uzex_winner_field('winner.value', ['winner_inn', 'provider_inn', 'inn']) }} as winner_inn,
    {{ cast_text(uzex_winner_field('winner.value', ['cost', 'price']), 'numeric(18, 2)') }} as award_amount,
    parsed.is_deleted,
    parsed.landed_at
from parsed
cross join lateral {{ json_elements('parsed.winners', 'winner') }}
