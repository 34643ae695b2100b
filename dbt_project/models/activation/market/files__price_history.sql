{# The change points of all prices, as a file for other tools. #}
{{ config(materialized='view') }}

select
    price_key,
    sku_key,
    product_key,
    price_amount,
    full_price_amount,
    currency,
    valid_from,
    valid_to
from {{ ref('price_history') }}
