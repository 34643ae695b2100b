{{ config(unique_key='lot_key') }}
{{ stage_uzex_lots('auction_lots', 'auction') }}
