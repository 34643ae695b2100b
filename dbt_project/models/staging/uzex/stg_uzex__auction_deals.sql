{{ config(unique_key='load_id') }}
{{ stage_uzex_deals('auction_deals', 'auction') }}
