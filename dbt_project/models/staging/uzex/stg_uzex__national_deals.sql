{{ config(unique_key='load_id') }}
{{ stage_uzex_deals('national_deals', 'national') }}
