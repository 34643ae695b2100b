{{ config(unique_key='lot_key') }}
{{ stage_uzex_lots('shop_lots', 'shop') }}
