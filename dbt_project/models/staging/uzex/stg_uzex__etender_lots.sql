{{ config(unique_key='lot_key') }}
{{ stage_uzex_lots('etender_lots', 'etender') }}
