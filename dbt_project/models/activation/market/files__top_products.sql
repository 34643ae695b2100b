{# The best products of every category, as a file for people. #}
{{ config(materialized='view') }}

select
    top_product_key,
    category_key,
    period_days,
    position,
    title,
    seller_key,
    units_sold,
    units_low,
    units_high,
    revenue_amount,
    currency
from {{ ref('top_products') }}
