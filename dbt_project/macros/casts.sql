{#
Casts that never raise. Both engines accept exactly the same texts, because a pattern decides what is a
value and the engine only converts it: DuckDB alone would take '0x1A', Postgres alone 'NaN'.
A decimal comma is not accepted: "12,50" and "1,250" cannot be told apart, so a person decides.
#}

{# The column type behind each name that `unpack` knows; any other name is a numeric(p, s). #}
{% macro data_type_of(type) -%}
    {%- set known = {
        'text': 'text', 'words': 'text', 'id': 'text', 'integer': 'bigint', 'number': 'numeric(24, 6)',
        'boolean': 'boolean', 'timestamp': 'timestamptz', 'date': 'date',
        'local_timestamp': 'timestamptz', 'epoch_ms': 'timestamptz',
    } -%}
    {{ return(known.get(type, type)) }}
{%- endmacro %}

{# A typed null, for stand-ins. #}
{% macro cast_type(type) -%}
    cast(null as {{ data_type_of(type) }})
{%- endmacro %}


{# A text column as a typed value, null when the text is no such value. #}
{% macro cast_text(raw, type) -%}
    {%- if type in ['text', 'words', 'id'] -%}
        {{ raw }}
    {%- elif type == 'integer' -%}
        case when {{ raw }} ~ '^[+-]?[0-9]{1,18}([.]0+)?$' then {{ try_cast("split_part(" ~ raw ~ ", '.', 1)", 'bigint') }} end
    {%- elif type == 'number' or type.startswith('numeric(') -%}
        case
            when {{ raw }} ~ '^[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]{1,2})?$'
                then {{ try_cast(raw, data_type_of(type)) }}
        end
    {%- elif type == 'boolean' -%}
        case lower({{ raw }}) when 'true' then true when '1' then true when 'false' then false when '0' then false end
    {%- elif type == 'timestamp' -%}
        {{ cast_timestamp(raw) }}
    {%- elif type == 'local_timestamp' -%}
        {{ cast_local_timestamp(raw) }}
    {%- elif type == 'epoch_ms' -%}
        case
            when {{ raw }} ~ '^[0-9]{1,14}([.]0+)?$' then to_timestamp(cast(split_part({{ raw }}, '.', 1) as bigint) / 1000.0)
            else {{ cast_local_timestamp(raw) }}
        end
    {%- elif type == 'date' -%}
        case
            when {{ raw }} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$' then {{ try_cast('left(' ~ raw ~ ', 10)', 'date') }}
        end
    {%- else -%}
        {{ exceptions.raise_compiler_error('unpack knows no type ' ~ type) }}
    {%- endif -%}
{%- endmacro %}


{#
The three forms that one account mixes (with offset and fraction, with offset, without offset), and a
plain date. Without an offset the time is UTC, whatever time zone the session has.
#}
{% macro cast_timestamp(raw) -%}
    case
        when {{ raw }} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'
            then {{ try_cast(raw ~ " || 'T00:00:00+00:00'", 'timestamptz') }}
        when {{ raw }} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?$'
            then {{ try_cast(raw ~ " || '+00:00'", 'timestamptz') }}
        when {{ raw }} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$'
            then {{ try_cast(raw, 'timestamptz') }}
    end
{%- endmacro %}


{#
Times of Uzbek services (Uzum and UZEX dossier §1.3, §2.2, §2.4): without an offset they are Tashkent's (UTC+5, no
summer time); besides ISO, with up to nine digits of a second, MM/DD/YYYY and DD.MM.YYYY occur.
#}
{% macro cast_local_timestamp(raw) -%}
    case
        when {{ raw }} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'
            then {{ try_cast(raw ~ " || 'T00:00:00+05:00'", 'timestamptz') }}
        when {{ raw }} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?$'
            then {{ try_cast(raw ~ " || '+05:00'", 'timestamptz') }}
        when {{ raw }} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$'
            then {{ try_cast(raw, 'timestamptz') }}
        when {{ raw }} ~ '^[0-9]{2}/[0-9]{2}/[0-9]{4}( [0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$'
            then {{ try_cast(_reordered(raw, 7, 1, 4), 'timestamptz') }}
        when {{ raw }} ~ '^[0-9]{2}[.][0-9]{2}[.][0-9]{4}( [0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$'
            then {{ try_cast(_reordered(raw, 7, 4, 1), 'timestamptz') }}
    end
{%- endmacro %}

{# Year, month and day by their places in the text, then the time of day. #}
{% macro _reordered(raw, year, month, day) -%}
    substr({{ raw }}, {{ year }}, 4) || '-' || substr({{ raw }}, {{ month }}, 2) || '-' || substr({{ raw }}, {{ day }}, 2) || 'T' || coalesce(nullif(substr({{ raw }}, 12), ''), '00:00') || '+05:00'
{%- endmacro %}


{# Postgres 16 or later (pg_input_is_valid). #}
{% macro try_cast(expression, type) -%}
    {{ return(adapter.dispatch('try_cast')(expression, type)) }}
{%- endmacro %}

{% macro duckdb__try_cast(expression, type) -%}
    try_cast({{ expression }} as {{ type }})
{%- endmacro %}

{% macro postgres__try_cast(expression, type) -%}
    case when pg_input_is_valid({{ expression }}, '{{ type }}') then cast({{ expression }} as {{ type }}) end
{%- endmacro %}
