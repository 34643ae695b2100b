{{ config(unique_key='parent_key') }}
{{ stage_uzex_items('competition_details', 'competition', 'js_details') }}
