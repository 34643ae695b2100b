{{ config(unique_key='load_id') }}
{{ stage_uzex_lots('shop_lots', 'shop') }}
