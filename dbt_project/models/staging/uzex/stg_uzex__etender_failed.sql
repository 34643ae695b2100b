{{ config(unique_key='load_id') }}
{{ stage_uzex_lots('etender_failed', 'etender_failed') }}
