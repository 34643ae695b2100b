{{ config(unique_key='load_id') }}
{{ stage_uzex_lots('auction_lots', 'auction') }}
