{# A row that goes to the shop has what the shop requires; a held row may lack it. #}
{% test is_filled_when_ready(model, columns) %}
    select *
    from {{ model }}
    where hold_reasons is null and ({{ columns | join(' is null or ') }} is null)
{% endtest %}
