{#
Unique and never null among the rows of the newest build: for tables that grow with history, so that the test's cost
follows change. Rows of different builds cannot collide: their key holds the load, or the model replaces by it.
#}
{% test is_key_among_new(model, column_name) %}
    select {{ column_name }}
    from {{ model }}
    where built_at = (select max(newest.built_at) from {{ model }} as newest)
    group by {{ column_name }}
    having count(*) > 1 or {{ column_name }} is null
{% endtest %}
