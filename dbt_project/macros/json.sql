{#
Reading JSON, one macro per need, each with an implementation per engine. JSON columns of staging are
`json` on DuckDB and `jsonb` on Postgres; texts made by the models are built by hand, so that both
engines write the same characters.
#}

{# Rows of a JSON array: a table function with the columns value (JSON) and position (from 1). #}
{% macro json_elements(json, alias) -%}
    {{ return(adapter.dispatch('json_elements')(json, alias)) }}
{%- endmacro %}

{% macro duckdb__json_elements(json, alias) -%}
    unnest(case when json_type({{ json }}) = 'ARRAY' then cast({{ json }} as json []) end) with ordinality as {{ alias }} (value, position)
{%- endmacro %}

{% macro postgres__json_elements(json, alias) -%}
    jsonb_array_elements(case when jsonb_typeof({{ json }}) = 'array' then {{ json }} end) with ordinality as {{ alias }} (value, position)
{%- endmacro %}


{# Rows of a JSON object: a table function with the columns key (text) and value (JSON). #}
{% macro json_entries(json, alias) -%}
    {{ return(adapter.dispatch('json_entries')(json, alias)) }}
{%- endmacro %}

{% macro duckdb__json_entries(json, alias) -%}
    json_each(case when json_type({{ json }}) = 'OBJECT' then {{ json }} end) as {{ alias }} (key, value)
{%- endmacro %}

{% macro postgres__json_entries(json, alias) -%}
    jsonb_each(case when jsonb_typeof({{ json }}) = 'object' then {{ json }} end) as {{ alias }} (key, value)
{%- endmacro %}


{# One field of a JSON object as text. #}
{% macro json_field(json, field) -%}
    {{ return(adapter.dispatch('json_field')(json, field)) }}
{%- endmacro %}

{% macro duckdb__json_field(json, field) -%}
    json_extract_string({{ json }}, '$."{{ field }}"')
{%- endmacro %}

{% macro postgres__json_field(json, field) -%}
    ({{ json }} ->> '{{ field }}')
{%- endmacro %}


{# A JSON value as text: a string without its quotes, anything else as it is written. #}
{% macro json_text(json) -%}
    {{ return(adapter.dispatch('json_text')(json)) }}
{%- endmacro %}

{% macro duckdb__json_text(json) -%}
    json_extract_string({{ json }}, '$')
{%- endmacro %}

{% macro postgres__json_text(json) -%}
    ({{ json }} #>> '{}')
{%- endmacro %}


{# Text as JSON (a stored JSON text that is to be taken apart again). #}
{% macro as_json(expression) -%}
    {{ return(adapter.dispatch('as_json')(expression)) }}
{%- endmacro %}

{% macro duckdb__as_json(expression) -%}
    cast({{ expression }} as json)
{%- endmacro %}

{% macro postgres__as_json(expression) -%}
    cast({{ expression }} as jsonb)
{%- endmacro %}


{# A text as a quoted JSON string. #}
{% macro json_string(expression) -%}
    cast(to_json(cast({{ expression }} as text)) as text)
{%- endmacro %}


{#
Every id in a value that may be an id, an object with an id, a list of either, or nothing (Plytix
dossier §6.1): a JSON array of texts in the order given, [] for nothing.
#}
{% macro json_ids(json) -%}
    {{ return(adapter.dispatch('json_ids')(json)) }}
{%- endmacro %}

{% macro duckdb__json_ids(json) -%}
    to_json(list_filter(
        list_transform(
            case json_type({{ json }})
                when 'ARRAY' then cast({{ json }} as json [])
                when 'OBJECT' then [{{ json }}]
                when 'VARCHAR' then [{{ json }}]
                else cast([] as json [])
            end,
            lambda entry : nullif(case
                when json_type(entry) = 'OBJECT'
                    then coalesce(json_extract_string(entry, '$.id'), json_extract_string(entry, '$._id'))
                else json_extract_string(entry, '$')
            end, '')
        ),
        lambda id : id is not null
    ))
{%- endmacro %}

{% macro postgres__json_ids(json) -%}
    (
        select coalesce(jsonb_agg(entries.id order by entries.position) filter (where entries.id is not null), '[]')
        from (
            select
                nullif(case
                    when jsonb_typeof(entry.value) = 'object' then coalesce(entry.value ->> 'id', entry.value ->> '_id')
                    else entry.value #>> '{}'
                end, '') as id,
                entry.position
            from jsonb_array_elements(
                case when jsonb_typeof({{ json }}) = 'array' then {{ json }} else jsonb_build_array({{ json }}) end
            ) with ordinality as entry (value, position)
        ) as entries
    )
{%- endmacro %}


{# The first of json_ids as text. #}
{% macro json_id(json) -%}
    {{ return(adapter.dispatch('json_id')(json)) }}
{%- endmacro %}

{% macro duckdb__json_id(json) -%}
    json_extract_string({{ duckdb__json_ids(json) }}, '$[0]')
{%- endmacro %}

{% macro postgres__json_id(json) -%}
    ({{ postgres__json_ids(json) }} ->> 0)
{%- endmacro %}


{# A string, or a list of strings joined by ", " (a dropdown that became a multi-select), as text. #}
{% macro json_words(json) -%}
    {{ return(adapter.dispatch('json_words')(json)) }}
{%- endmacro %}

{% macro duckdb__json_words(json) -%}
    case
        when json_type({{ json }}) = 'ARRAY' then array_to_string(json_extract_string({{ json }}, '$[*]'), ', ')
        else json_extract_string({{ json }}, '$')
    end
{%- endmacro %}

{% macro postgres__json_words(json) -%}
    case
        when jsonb_typeof({{ json }}) = 'array' then (
            select string_agg(entry.value, ', ' order by entry.position)
            from jsonb_array_elements_text({{ json }}) with ordinality as entry (value, position)
        )
        else {{ json }} #>> '{}'
    end
{%- endmacro %}


{# An object, with {} for [], null and anything else (PHP-minded APIs print an empty object as []). #}
{% macro json_object(json) -%}
    {{ return(adapter.dispatch('json_object')(json)) }}
{%- endmacro %}

{% macro duckdb__json_object(json) -%}
    case when json_type({{ json }}) = 'OBJECT' then {{ json }} else cast('{}' as json) end
{%- endmacro %}

{% macro postgres__json_object(json) -%}
    case when jsonb_typeof({{ json }}) = 'object' then {{ json }} else cast('{}' as jsonb) end
{%- endmacro %}


{# A JSON list, also one that stands in a string as JSON; null for anything else. #}
{% macro json_list(json) -%}
    case
        when {{ json_kind(json) }} = 'array' then {{ json }}
        when {{ json_kind(json) }} = 'string' and {{ json_kind(try_json(json_text(json))) }} = 'array' then {{ try_json(json_text(json)) }}
    end
{%- endmacro %}


{# A list of ids (json_ids) as JSON text, the same characters on both engines. #}
{% macro ids_text(json) -%}
    replace(cast({{ json }} as text), '", "', '","')
{%- endmacro %}


{# One field of a JSON object as JSON. #}
{% macro json_entry(json, field) -%}
    {{ return(adapter.dispatch('json_entry')(json, field)) }}
{%- endmacro %}

{% macro duckdb__json_entry(json, field) -%}
    json_extract({{ json }}, '$."{{ field }}"')
{%- endmacro %}

{% macro postgres__json_entry(json, field) -%}
    ({{ json }} -> '{{ field }}')
{%- endmacro %}
