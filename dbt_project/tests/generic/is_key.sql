{# Unique and never null, in one query: each test costs a run as much as a small model. #}
{% test is_key(model, column_name) %}
    select {{ column_name }}
    from {{ model }}
    group by {{ column_name }}
    having count(*) > 1 or {{ column_name }} is null
{% endtest %}
