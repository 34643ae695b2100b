{#
Sales of each product over the last 7, 30 and 90 days, for all products as of the newest day. A view: the periods of
most products stay as they are when a day is added, only their date moves.
#}
{{ config(materialized='view') }}

with horizon as (
    select connection, max(as_of_date) as as_of_date from {{ ref('product_periods') }}
    group by connection
)

select
    periods.product_key,
    periods.connection,
    periods.category_key,
    periods.seller_key,
    horizon.as_of_date,
    {% for days in [7, 30, 90] %}
    periods.units_{{ days }}d,
    periods.units_low_{{ days }}d,
    periods.units_high_{{ days }}d,
    periods.revenue_{{ days }}d_amount,
    {% endfor %}
    periods.currency,
    periods.units_previous_30d,
    periods.growth_percent,
    periods.available_quantity,
    periods.days_of_stock
from {{ ref('product_periods') }} as periods
inner join horizon on periods.connection = horizon.connection
