{#
What is known about each product on each day since it was first seen. A view: days without a change cost no storage.
  first_sight  the day the product was first seen: what it sold before cannot be dated
  known        units are exact (the counter stood still, or was read on this day and the day before)
  spread       sold in a longer gap between visits: this day's share lies between units_low and units_high
  unknown      the counter fell and stock cannot tell, nobody has looked since, or it is gone: not zero
#}
{{ config(materialized='view') }}

{{ daily_sales() }}
