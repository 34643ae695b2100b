{{ config(unique_key='parent_key') }}
{{ stage_uzex_items('etender_details', 'etender', 'budget_products') }}
