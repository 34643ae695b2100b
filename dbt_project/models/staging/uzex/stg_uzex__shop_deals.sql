{{ config(unique_key='load_id') }}
{{ stage_uzex_deals('shop_deals', 'shop') }}
