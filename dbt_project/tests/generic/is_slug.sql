{# What Webflow takes as a slug. #}
{% test is_slug(model, column_name) %}
    select {{ column_name }}
    from {{ model }}
    where not {{ column_name }} ~ '^[_a-zA-Z0-9][-_a-zA-Z0-9]*$' or length({{ column_name }}) > {{ var('slug_max_length') }}
{% endtest %}
