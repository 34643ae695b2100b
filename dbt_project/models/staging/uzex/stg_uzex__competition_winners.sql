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
    coalesce(
        {{ json_field('winner.value', 'winner_name') }},
        {{ json_field('winner.value', 'provider_name') }},
        {{ json_field('winner.value', 'name') }}
    ) as winner_name,
    coalesce(
        {{ json_field('winner.value', 'winner_inn') }},
        {{ json_field('winner.value', 'provider_inn') }},
        {{ json_field('winner.value', 'inn') }}
    ) as winner_inn,
    {{ cast_text(
        "coalesce(" ~ json_field('winner.value', 'cost') ~ ", " ~ json_field('winner.value', 'price') ~ ")",
        'numeric(18, 2)'
    ) }} as award_amount,
    parsed.is_deleted,
    parsed.landed_at
from parsed
cross join lateral {{ json_elements('parsed.winners', 'winner') }}
