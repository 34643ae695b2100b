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
    regexp_replace(cast({{ expression }} as text), '[.]?0+$', '')
{%- endmacro %}
