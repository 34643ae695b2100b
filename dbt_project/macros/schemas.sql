{# One schema per layer, with the same name on every target: the contract of the rooms that read them. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
