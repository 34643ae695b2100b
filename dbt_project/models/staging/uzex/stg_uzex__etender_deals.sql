{{ config(unique_key='load_id') }}
{{ stage_uzex_deals('etender_deals', 'etender') }}
