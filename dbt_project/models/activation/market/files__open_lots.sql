{# What one can bid for, and failed lots as leads, as a file for people. #}
{{ config(materialized='view') }}

select
    lot_key,
    module,
    state,
    display_no,
    subject,
    category_name,
    region_name,
    buyer_name,
    start_amount,
    currency,
    ends_at
from {{ ref('open_lots') }}
