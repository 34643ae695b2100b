{#
What the market and procurement models share. The business day is the calendar day in Tashkent (UTC+5, no
summer time); money is numeric(18, 2) with its currency beside it.
#}

{# The Tashkent calendar day of a moment. #}
{% macro local_date(moment) -%}
    cast(({{ moment }}) at time zone 'Asia/Tashkent' as date)
{%- endmacro %}

{% macro money(expression) -%}
    cast({{ expression }} as numeric(18, 2))
{%- endmacro %}

{% macro whole(expression) -%}
    cast({{ expression }} as bigint)
{%- endmacro %}

{# A quotient, share or percentage; null when there is nothing to divide by. #}
{% macro ratio(numerator, denominator, factor=1) -%}
    cast({{ factor }}.0 * ({{ numerator }}) / nullif(cast({{ denominator }} as numeric(24, 6)), 0) as numeric(18, 4))
{%- endmacro %}

{% macro days_between(later, earlier) -%}
    cast(extract(epoch from ({{ later }}) - ({{ earlier }})) / 86400 as numeric(12, 4))
{%- endmacro %}

{% macro median(expression) -%}
    percentile_cont(0.5) within group (order by {{ expression }})
{%- endmacro %}


{# The days from one date to another, both included: a table function with the column `day`. #}
{% macro each_day(first, last, alias) -%}
    {{ return(adapter.dispatch('each_day')(first, last, alias)) }}
{%- endmacro %}

{% macro duckdb__each_day(first, last, alias) -%}
    (select cast(unnest(generate_series({{ first }}, {{ last }}, interval '1 day')) as date)) as {{ alias }} (day)
{%- endmacro %}

{% macro postgres__each_day(first, last, alias) -%}
    (select cast(d as date) from generate_series({{ first }}, {{ last }}, interval '1 day') as s (d)) as {{ alias }} (day)
{%- endmacro %}


{# The whole numbers from one to another, both included: a table function with the column `number`. #}
{% macro each_number(first, last, alias) -%}
    {{ return(adapter.dispatch('each_number')(first, last, alias)) }}
{%- endmacro %}

{% macro duckdb__each_number(first, last, alias) -%}
    (select unnest(generate_series({{ first }}, {{ last }}))) as {{ alias }} (number)
{%- endmacro %}

{% macro postgres__each_number(first, last, alias) -%}
    generate_series({{ first }}, {{ last }}) as {{ alias }} (number)
{%- endmacro %}


{# The parts of a text between separators (a regular expression): a table function with the column `part`. #}
{% macro each_part(text, separator, alias) -%}
    {{ return(adapter.dispatch('each_part')(text, separator, alias)) }}
{%- endmacro %}

{% macro duckdb__each_part(text, separator, alias) -%}
    (select unnest(string_split_regex({{ text }}, '{{ separator }}'))) as {{ alias }} (part)
{%- endmacro %}

{% macro postgres__each_part(text, separator, alias) -%}
    regexp_split_to_table({{ text }}, '{{ separator }}') as {{ alias }} (part)
{%- endmacro %}


{# An element of a JSON array by its position from 0; null when the position is out of range, negative or null. #}
{% macro json_at(json, position) -%}
    {{ return(adapter.dispatch('json_at')(json, position)) }}
{%- endmacro %}

{% macro duckdb__json_at(json, position) -%}
    case when {{ position }} >= 0 then json_extract({{ json }}, {{ position }}) end
{%- endmacro %}

{% macro postgres__json_at(json, position) -%}
    case when {{ position }} >= 0 then {{ json }} -> cast({{ position }} as integer) end
{%- endmacro %}


{# A text as JSON when it is JSON (documents carry JSON inside strings), else null. #}
{% macro try_json(expression) -%}
    {{ return(adapter.dispatch('try_json')(expression)) }}
{%- endmacro %}

{% macro duckdb__try_json(expression) -%}
    try_cast({{ expression }} as json)
{%- endmacro %}

{% macro postgres__try_json(expression) -%}
    case when pg_input_is_valid({{ expression }}, 'jsonb') then cast({{ expression }} as jsonb) end
{%- endmacro %}


{# ISO 4217 code for the spellings UZEX uses (dossier §2.4); nothing said means the sum. #}
{% macro currency_code(expression) -%}
    case
        when nullif(trim({{ expression }}), '') is null then 'UZS'
        when trim({{ expression }}) in (
            'Сом', 'сом', 'СОМ', 'Сум', 'сум', 'СУМ', 'Сўм', 'сўм', 'UZS', 'uzs', 'So''m', 'so''m', 'Soʻm', 'soʻm', 'Sum', 'sum', '860'
        ) then 'UZS'
        when trim({{ expression }}) in ('Доллар', 'доллар', 'Доллар США', 'USD', 'usd', '840') then 'USD'
        when trim({{ expression }}) in ('Евро', 'евро', 'EUR', 'eur', '978') then 'EUR'
        when trim({{ expression }}) in ('Рубль', 'рубль', 'Российский рубль', 'RUB', 'rub', '643') then 'RUB'
        else upper(trim({{ expression }}))
    end
{%- endmacro %}


{#
Who a supplier or buyer is: the tax number (INN) when there is one; individuals have none and are known by
their transliterated name alone, which is marked (`name:`), because two people may share it.
#}
{% macro organisation_key(inn, name) -%}
    coalesce('inn:' || nullif(regexp_replace({{ inn }}, '[^0-9]', '', 'g'), ''), 'name:' || nullif({{ plain_words(name) }}, ''))
{%- endmacro %}

{#
A text for comparing and searching: one alphabet, lower case, letters and digits, single spaces. Uzbek in Latin and in
Cyrillic and Russian letters fall together: х is x (not kh), ж is j (not zh), ye is e.
#}
{% macro plain_words(expression) -%}
    trim(replace(replace(replace(
        regexp_replace({{ transliterate(expression) }}, '[^a-z0-9]+', ' ', 'g'), 'kh', 'x'
    ), 'zh', 'j'), 'ye', 'e'))
{%- endmacro %}


{# How many elements a JSON array has. #}
{% macro json_length(json) -%}
    {{ return(adapter.dispatch('json_length')(json)) }}
{%- endmacro %}

{% macro duckdb__json_length(json) -%}
    json_array_length({{ json }})
{%- endmacro %}

{% macro postgres__json_length(json) -%}
    jsonb_array_length({{ json }})
{%- endmacro %}


{#
The days that an incremental model of daily sales makes anew: those of new facts, and, when a visit was loaded late
(after visits of later days), the month before it, whose spread windows it may have shortened.
#}
{% macro touched_sales_dates() %}
    {% set all_visits = ref('crawl_visits') %}
    select distinct facts.sales_date from {{ ref('product_sales_days') }} as facts
    where {{ is_new_for('facts') }}
    {% if is_incremental() %}
    union
    select distinct facts.sales_date from {{ ref('product_sales_days') }} as facts
    inner join (
        select distinct visits.visit_date from {{ all_visits }} as visits
        where {{ is_new_for('visits') }} and visits.visit_date < (select max(newest.stats_date) from {{ this }} as newest)
    ) as late on facts.sales_date between late.visit_date - 31 and late.visit_date
    {% endif %}
{% endmacro %}
