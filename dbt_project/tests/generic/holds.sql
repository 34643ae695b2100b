{# A condition that no row breaks; rows for which it is null pass. #}
{% test holds(model, condition) %}
    select *
    from {{ model }}
    where not ({{ condition }})
{% endtest %}
