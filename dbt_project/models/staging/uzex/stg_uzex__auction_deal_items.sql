{{ config(unique_key='parent_key') }}
{{ stage_uzex_items('auction_deal_items', 'auction', ['items', 'products', 'js_details']) }}
