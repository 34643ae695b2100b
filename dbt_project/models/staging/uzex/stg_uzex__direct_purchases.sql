{{ config(unique_key='load_id') }}
{{ stage_uzex_deals('direct_purchases', 'direct') }}
