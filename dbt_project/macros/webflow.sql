{# The options of Webflow's tax-category field (Webflow dossier §1.4). #}
{% macro webflow_tax_categories() %}
    {{ return([
        'standard-taxable', 'standard-exempt', 'books-religious', 'books-textbook', 'clothing', 'clothing-swimwear',
        'digital-goods', 'digital-service', 'drugs-non-prescription', 'drugs-prescription', 'food-bottled-water',
        'food-candy', 'food-groceries', 'food-prepared', 'food-soda', 'food-supplements', 'magazine-individual',
        'magazine-subscription', 'service-admission', 'service-advertising', 'service-dry-cleaning',
        'service-hairdressing', 'service-installation', 'service-miscellaneous', 'service-parking',
        'service-printing', 'service-professional', 'service-repair', 'service-training',
    ]) }}
{% endmacro %}


{# The time at which this run began, the same for all rows. #}
{% macro current_moment() -%}
    cast('{{ run_started_at }}' as timestamptz)
{%- endmacro %}


{# An amount of money in the currency's smallest unit; null when the currency's exponent is not known. #}
{% macro to_minor_units(amount, exponent) -%}
    cast(round({{ product(amount, 'case ' ~ exponent ~ ' when 0 then 1 when 2 then 100 when 3 then 1000 end') }}, 0) as bigint)
{%- endmacro %}
