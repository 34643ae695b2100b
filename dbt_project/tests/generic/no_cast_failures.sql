{# Values that the source sent and that are not of their column's type: they became null, and are counted here. #}
{% test no_cast_failures(model) %}
    {{ config(severity='warn') }}
    select cast_failures
    from {{ model }}
    where cast_failures is not null
{% endtest %}
