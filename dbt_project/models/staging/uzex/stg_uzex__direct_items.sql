{{ config(unique_key='parent_key') }}
{{ stage_uzex_items('direct_details', 'direct', 'js_details') }}
