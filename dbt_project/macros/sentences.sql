{# Reasons, one sentence each, joined for people; null when there is none. #}
{% macro sentences(reasons) -%}
    nullif(concat_ws('; '
        {%- for reason in reasons %},
        {{ reason }}
        {%- endfor %}
    ), '')
{%- endmacro %}

{# A number as a person writes it: 75, not 75.000000. #}
{% macro plain_number(expression) -%}
    {{ without_empty_decimals('cast(' ~ expression ~ ' as text)') }}
{%- endmacro %}

{# The same with a comma at the thousands: 79,990 and 1,234.5. #}
{% macro grouped_number(expression) -%}
    {{ without_empty_decimals(adapter.dispatch('with_thousands')(expression)) }}
{%- endmacro %}

{% macro duckdb__with_thousands(expression) -%}
    format('{:,.2f}', cast({{ expression }} as double))
{%- endmacro %}

{% macro postgres__with_thousands(expression) -%}
    to_char({{ expression }}, 'FM999,999,999,999,999,990.00')
{%- endmacro %}

{% macro without_empty_decimals(digits) -%}
    regexp_replace(regexp_replace({{ digits }}, '([.][0-9]*[1-9])0+$', '\1'), '[.]0*$', '')
{%- endmacro %}
