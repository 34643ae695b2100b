{#
Cleaning by data (docs/user_apis.md): paths, value maps and zones are columns of the mapping, so a thousand
sources are the same few models.
#}

{# The JSON value at a path that is itself a column ($."a"[0]."b" on both engines). #}
{% macro json_value_at(document, path) -%}
    {{ return(adapter.dispatch('json_value_at')(document, path)) }}
{%- endmacro %}

{% macro duckdb__json_value_at(document, path) -%}
    json_extract({{ document }}, {{ path }})
{%- endmacro %}

{% macro postgres__json_value_at(document, path) -%}
    jsonb_path_query_first({{ document }}, cast({{ path }} as jsonpath))
{%- endmacro %}


{# The text at such a path. #}
{% macro json_at_path(document, path) -%}
    {{ return(adapter.dispatch('json_at_path')(document, path)) }}
{%- endmacro %}

{% macro duckdb__json_at_path(document, path) -%}
    json_extract_string({{ document }}, {{ path }})
{%- endmacro %}

{% macro postgres__json_at_path(document, path) -%}
    (jsonb_path_query_first({{ document }}, cast({{ path }} as jsonpath)) #>> '{}')
{%- endmacro %}


{# The text at names and places that are written down here: ['lists', 0, 'path']. #}
{% macro json_text_at(json, steps) -%}
    {{ return(adapter.dispatch('json_text_at')(json, steps)) }}
{%- endmacro %}

{% macro duckdb__json_text_at(json, steps) -%}
    json_extract_string({{ json }}, '${% for step in steps %}{{ '."' ~ step ~ '"' if step is string else '[' ~ step ~ ']' }}{% endfor %}')
{%- endmacro %}

{% macro postgres__json_text_at(json, steps) -%}
    ({{ json }} #>> '{{ '{' ~ steps | join(',') ~ '}' }}')
{%- endmacro %}


{#
Paths through lists (pipelines/sources/user_apis/paths.py: at most three, with three conditions on each): the columns of
a branch, the entries one level further in, and the values at the ends.
#}
{% macro route_columns(route) -%}
    {{ json_text_at(route, ['path']) }} as path
    {%- for level in [1, 2, 3] %},
        {{ json_text_at(route, ['lists', level - 1, 'path']) }} as list_{{ level }},
        cast({{ json_text_at(route, ['lists', level - 1, 'place']) }} as bigint) + 1 as only_{{ level }}
        {%- for nth in [1, 2, 3] %},
        {{ json_text_at(route, ['lists', level - 1, 'where', nth - 1, 'path']) }} as where_{{ level }}_{{ nth }},
        {{ json_text_at(route, ['lists', level - 1, 'where', nth - 1, 'value']) }} as is_{{ level }}_{{ nth }}
        {%- endfor %}
    {%- endfor %}
{%- endmacro %}

{% macro entries_inside(outside, level) %}
    select
        outside.definition_key, outside.field, outside.field_type, outside.take, outside.separator, outside.decimal_sign,
        outside.branch, outside.path, outside.record_key,
        {%- for inner_level in [1, 2, 3] %}
        outside.list_{{ inner_level }}, outside.only_{{ inner_level }},
        {%- for nth in [1, 2, 3] %} outside.where_{{ inner_level }}_{{ nth }}, outside.is_{{ inner_level }}_{{ nth }},{% endfor %}
        {%- endfor %}
        entry.value as node,
        outside.is_chosen and coalesce(entry.position = outside.only_{{ level }}, true) as is_chosen
        {%- for place in [1, 2, 3] %},
        {{ 'entry.position' if place == level else 'outside.place_' ~ place }} as place_{{ place }}
        {%- endfor %}
    from {{ outside }} as outside
    cross join lateral {{ json_elements(json_value_at('outside.node', 'outside.list_' ~ level), 'entry') }}
    where
        outside.list_{{ level }} is not null
        {%- for nth in [1, 2, 3] %}
        and (
            outside.where_{{ level }}_{{ nth }} is null
            or trim({{ json_at_path('entry.value', 'outside.where_' ~ level ~ '_' ~ nth) }}) = outside.is_{{ level }}_{{ nth }}
        )
        {%- endfor %}
{% endmacro %}

{% macro ends_of_routes() %}
    {%- for level in [0, 1, 2, 3] %}
    {{ 'union all' if level }}
    select
        record_key, field, field_type, take, separator, decimal_sign, is_chosen, branch, place_1, place_2, place_3,
        {{ json_value_at('node', 'path') }} as value
    from level_{{ level }}
    {{ 'where list_' ~ (level + 1) ~ ' is null' if level < 3 }}
    {%- endfor %}
{% endmacro %}


{# Whether a JSON value is a number, and no text that looks like one. #}
{% macro json_is_number(json) -%}
    coalesce(cast({{ json }} as text) ~ '^[-0-9]', false)
{%- endmacro %}


{# What a JSON object says for a key that is a column. #}
{% macro json_lookup(map, key) -%}
    {{ return(adapter.dispatch('json_lookup')(map, key)) }}
{%- endmacro %}

{% macro duckdb__json_lookup(map, key) -%}
    json_extract_string({{ map }}, '$."' || replace({{ key }}, '"', '') || '"')
{%- endmacro %}

{% macro postgres__json_lookup(map, key) -%}
    ({{ map }} ->> {{ key }})
{%- endmacro %}


{# One JSON object of many rows of a group. #}
{% macro json_object_of(key, value) -%}
    {{ return(adapter.dispatch('json_object_of')(key, value)) }}
{%- endmacro %}

{% macro duckdb__json_object_of(key, value) -%}
    cast(json_group_object({{ key }}, {{ value }}) as text)
{%- endmacro %}

{% macro postgres__json_object_of(key, value) -%}
    cast(jsonb_object_agg({{ key }}, {{ value }}) as text)
{%- endmacro %}


{# A moment as ISO 8601 in UTC. #}
{% macro utc_text(moment) -%}
    {{ return(adapter.dispatch('utc_text')(moment)) }}
{%- endmacro %}

{% macro duckdb__utc_text(moment) -%}
    strftime({{ moment }} at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%f+00:00')
{%- endmacro %}

{% macro postgres__utc_text(moment) -%}
    to_char({{ moment }} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
{%- endmacro %}


{#
A time in any form that a definition can declare as ISO 8601 in UTC; what is no time stays as it is, so that
the typed models count it. A time without an offset is of the mapping's zone.
#}
{% macro normalised_time(value, date_order, zone) -%}
    {%- set iso = "case
            when " ~ value ~ " ~ '^[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{4}.*$' then
                regexp_replace(
                    regexp_replace(" ~ value ~ ", '^([0-9])([./-])', '0\\1\\2'),
                    '^([0-9]{2}[./-])([0-9])([./-])', '\\10\\2\\3'
                )
            else " ~ value ~ "
        end" -%}
    {%- set rearranged = "case
            when " ~ value ~ " ~ '^[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{4}.*$' and " ~ date_order ~ " <> 'iso' then
                regexp_replace(" ~ iso ~ ", '^([0-9]{2}).([0-9]{2}).([0-9]{4})',
                    case when " ~ date_order ~ " = 'day_first' then '\\3-\\2-\\1' else '\\3-\\1-\\2' end)
            else " ~ value ~ "
        end" -%}
    case
        when {{ value }} ~ '^[0-9]{9,10}([.][0-9]+)?$'
            then {{ utc_text('to_timestamp(cast(' ~ value ~ ' as double precision))') }}
        when {{ value }} ~ '^[0-9]{12,13}$'
            then {{ utc_text('to_timestamp(cast(' ~ value ~ ' as double precision) / 1000)') }}
        when {{ rearranged }} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?)?$'
            then coalesce(
                {{ utc_text("timezone(" ~ zone ~ ", " ~ try_cast(rearranged, 'timestamp') ~ ")") }}, {{ value }}
            )
        else {{ value }}
    end
{%- endmacro %}


{#
Amounts as people and programs write them, with every reading that a text has. `relation` has their_text, is_number
(it was a number in the JSON) and decimal_sign (point, comma or null, as the mapping states). Added are amount (null
where there is none, or more than one), is_ambiguous, and named_currency, which the text itself names.

A sign before the last three digits may be that of decimals or of thousands: 12.345. All else has one reading.
#}
{% macro read_amounts(relation) -%}
    {%- set symbols = [
        ('US$', 'USD'), ('R$', 'BRL'), ('$', 'USD'), ('€', 'EUR'), ('£', 'GBP'), ('¥', 'JPY'), ('₽', 'RUB'), ('₹', 'INR'),
        ('₺', 'TRY'), ('₴', 'UAH'), ('₸', 'KZT'), ('₩', 'KRW'), ('₫', 'VND'), ('₪', 'ILS'),
    ] -%}
    {#- Digits of other scripts, spaces that do not break, minus signs, apostrophes. -#}
    {%- set theirs = '٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹０１２３４５６７８９' ~ '\u00a0\u202f\u2009\u2007' ~ '−–' ~ '’‘ʼ٬' ~ '٫' -%}
    {%- set ours = '012345678901234567890123456789' ~ '    ' ~ '--' ~ "''''''''" ~ '.' -%}
    {%- set tidy = namespace(sql="upper(trim(translate(their_text, '" ~ theirs ~ "', '" ~ ours ~ "')))") -%}
    {%- for symbol, code in symbols -%}
        {%- set tidy.sql = "replace(" ~ tidy.sql ~ ", '" ~ symbol ~ "', '" ~ code ~ "')" -%}
    {%- endfor -%}
    {%- set groups = "^([1-9][0-9]{0,2}([% ''][0-9]{2,3})*[% ''][0-9]{3}|[0-9]+)?" -%}
    {%- set point, comma = groups | replace('%', ',') ~ '([.][0-9]+)?$', groups | replace('%', '.') ~ '(,[0-9]+)?$' -%}
    select
        readings.*,
        case
            when as_number is not null then {{ try_cast('as_number', 'numeric(30, 10)') }}
            when not coalesce(as_point <> as_comma, false)
                then {{ try_cast('coalesce(as_point, as_comma)', 'numeric(30, 10)') }}
        end * case when is_minus then -1 else 1 end as amount,
        as_number is null and coalesce(as_point <> as_comma, false) as is_ambiguous
    from (
        select
            bare.*,
            case when is_number or digits ~ '^[0-9]+([.][0-9]+)?E[+-]?[0-9]{1,2}$' then digits end as as_number,
            case
                when digits ~ '{{ point }}' and digits ~ '[0-9]' and coalesce(decimal_sign, 'point') = 'point'
                    then translate(digits, ', ''', '')
            end as as_point,
            case
                when digits ~ '{{ comma }}' and digits ~ '[0-9]' and coalesce(decimal_sign, 'comma') = 'comma'
                    then replace(translate(digits, '. ''', ''), ',', '.')
            end as as_comma
        from (
            select
                named.*,
                is_number and their_text ~ '^-' or not is_number and (text_without_currency ~ '^-' or text_without_currency ~ '-$')
                    as is_minus,
                trim(regexp_replace(regexp_replace(text_without_currency, '^[+-]', ''), '-$', '')) as digits
            from (
                select
                    tidied.*,
                    case
                        when tidy ~ '^[+-]? ?[A-Z]{3}[^A-Z]+$' then regexp_replace(tidy, '^[+-]? ?([A-Z]{3}).*$', '\1')
                        when tidy ~ '^[^A-Z]+[A-Z]{3}$' then right(tidy, 3)
                    end as named_currency,
                    case
                        when tidy ~ '^[+-]? ?[A-Z]{3}[^A-Z]+$' or tidy ~ '^[^A-Z]+[A-Z]{3}$'
                            then trim(regexp_replace(tidy, ' ?[A-Z]{3} ?', ''))
                        else tidy
                    end as text_without_currency
                from (
                    select
                        *,
                        -- Most need no tidying.
                        case when their_text ~ '^[0-9]+([.][0-9]+)?$' then their_text else {{ tidy.sql }} end as tidy
                    from {{ relation }}
                    {{ fence() }}
                ) as tidied
                {{ fence() }}
            ) as named
            {{ fence() }}
        ) as bare
        {{ fence() }}
    ) as readings
    {{ fence() }}
{%- endmacro %}


{# Keeps Postgres from repeating an expression wherever its column is used. #}
{% macro fence() -%}
    {{ return(adapter.dispatch('fence')()) }}
{%- endmacro %}

{% macro duckdb__fence() -%}
{%- endmacro %}

{% macro postgres__fence() -%}
    offset 0
{%- endmacro %}


{# Why an amount that was read takes no part, as a sentence with the way out; null when it does. #}
{% macro amount_problem() -%}
    {%- set text = "case when their_text like '%@%' then '' else ' \"' || left(their_text, 60) || '\"' end" -%}
    field || case
        when is_ambiguous
            then {{ text }} || ' can be read in two ways (write decimal: point or decimal: comma in the mapping)'
        when amount is null
            then {{ text }} || ' is not a number' || coalesce(' with decimal: ' || decimal_sign, '')
        when coalesce(summed_currency, named_currency) <> coalesce(currency, '')
            then {{ text }} || ' is not in ' || coalesce(currency, 'a currency that the record names')
        when value_count > 1 and reads_one
            then ' has ' || cast(value_count as text)
                || ' values and the mapping reads one (write sum, choose by name, or others: ignore)'
        when is_minor and currency is null
            then ' is in the smallest unit of a currency that the record does not name (map currency)'
        when is_minor and minor_digits <> exponent
            then ' has minor_units: ' || cast(minor_digits as text) || ', and ' || currency || ' has '
                || cast(exponent as text) || ' digits (write minor_units: true, or {' || currency || ': '
                || cast(minor_digits as text) || '} if the API differs)'
        when is_minor and coalesce(stated_digits, exponent) is null
            then ' is in the smallest unit of ' || currency || ', whose digits are not known (write minor_units: {'
                || currency || ': 2})'
        when is_minor and amount <> floor(amount)
            then {{ text }} || ' is no whole number of the smallest unit (take minor_units out?)'
        when sign = 'positive' and amount < 0
            then {{ text }} || ' is below zero (write sign: negative' || case when field = 'refunded_amount' then ' or absolute' else ', absolute or signed' end
                || ' in the mapping)'
        when sign = 'negative' and amount > 0
            then {{ text }} || ' is above zero, and the mapping says sign: negative'
    end
{%- endmacro %}


{# What one of their units is of the currency's: 0.01 where amounts are cents. #}
{% macro unit_of_digits() -%}
    case when is_minor then
        case coalesce(stated_digits, exponent) when 0 then 1 when 1 then 0.1 when 2 then 0.01 when 3 then 0.001 else 0.0001 end
    else 1 end
{%- endmacro %}


{# Whether a text is an e-mail address or a phone number at all; one that was hashed at the door is. #}
{% macro is_contact(text, kind) -%}
    (
        left({{ text }}, 5) = 'hmac:'
        or case {{ kind }}
            when 'email' then {{ text }} ~ '^[^@ ]+@[^@ ]+$'
            else {{ text }} not like '%@%' and length(regexp_replace({{ text }}, '[^0-9]', '', 'g')) between 4 and 20
        end
    )
{%- endmacro %}


{# Why a contact takes no part. It is not shown: it may be another thing of a person's. An order counts without one. #}
{% macro contact_problem() -%}
    case
        when
            entity <> 'order' and field_type in ('email', 'phone')
            and not {{ is_contact('their_text', 'field_type') }}
            and lower(their_text) not in ('-', 'n/a', 'na', 'none', 'null', 'unknown', 'no')
            then field || ' is ' || case field_type when 'email' then 'no e-mail address' else 'no phone number' end
                || ' (does the mapping read another field?)'
    end
{%- endmacro %}


{# The digits of a phone number, without the 00 of a call abroad. #}
{% macro phone_digits(text) -%}
    case
        when left({{ text }}, 5) = 'hmac:' then {{ text }}
        else nullif(regexp_replace(regexp_replace({{ text }}, '[^0-9]', '', 'g'), '^00', ''), '')
    end
{%- endmacro %}


{# HMAC-SHA-256 with the key of restricted.hash_key (padded blocks in hex), as pipelines makes it too. #}
{% macro keyed_hash(value, hash_key='hash_key') -%}
    {{ return(adapter.dispatch('keyed_hash')(value, hash_key)) }}
{%- endmacro %}

{% macro duckdb__keyed_hash(value, hash_key) -%}
    case when {{ value }} is not null then
        sha256(unhex({{ hash_key }}.outer_hex) || unhex(sha256(unhex({{ hash_key }}.inner_hex) || encode({{ value }}))))
    end
{%- endmacro %}

{% macro postgres__keyed_hash(value, hash_key) -%}
    case when {{ value }} is not null then
        encode(
            sha256(
                decode({{ hash_key }}.outer_hex, 'hex')
                || sha256(decode({{ hash_key }}.inner_hex, 'hex') || convert_to({{ value }}, 'UTF8'))
            ), 'hex'
        )
    end
{%- endmacro %}


{# A personal value that was hashed at the door already keeps that hash. #}
{% macro personal_hash(value) -%}
    case
        when left({{ value }}, 5) = 'hmac:' then substr({{ value }}, 6)
        else {{ keyed_hash(value) }}
    end
{%- endmacro %}


{#
Incremental by content: rows of `relation` that this model does not have yet in this version. `version` are the
columns that say which version a row is; `key` is the unique key.
#}
{% macro only_changed(relation, key, version) -%}
    {%- if is_incremental() %}
        where not exists (
            select 1 from {{ this }} as known
            where known.{{ key }} = {{ relation }}.{{ key }}
            {%- for column in version %} and known.{{ column }} is not distinct from {{ relation }}.{{ column }}{% endfor %}
        )
    {%- endif %}
{%- endmacro %}


{# What the models rely on where no source was ever read: the tables are empty then. #}
{% macro prepare_user_apis() %}
    {% if execute and flags.WHICH in ['run', 'build'] %}
        create schema if not exists restricted;
        create table if not exists restricted.hash_key (
            key_hex text not null, inner_hex text not null, outer_hex text not null
        );
        create schema if not exists raw_user_apis;
        create table if not exists raw_user_apis.source_runs (
            user_id text not null, source_id text not null, started_at timestamptz, finished_at timestamptz,
            outcome text, error text, failures bigint, next_try_at timestamptz, definition_hash text,
            rows_seen bigint, rows_landed bigint, requests bigint, _dlt_load_id text not null
        );
    {% endif %}
{% endmacro %}


{#
Row-level security on Postgres in the transaction that makes a table (a rebuilt one has lost it): a role called
karvon_user_<user id>, member of karvon_readers, sees the rows of its user and no others. Owners see all. What this
cannot reach (raw tables, restored ones, roles made later) is put right by orchestration/rights.py after every build.
#}
{% macro protect_user_rows() %}
    {{ return(adapter.dispatch('protect_user_rows')()) }}
{% endmacro %}

{% macro duckdb__protect_user_rows() %}{% endmacro %}

{% macro postgres__protect_user_rows() %}
    {% if execute and flags.WHICH in ['run', 'build']
        and run_query("select 1 from pg_roles where rolname = 'karvon_readers'") | length %}
        {# Two models that grant on their schema at once fail with "tuple concurrently updated". #}
        select pg_advisory_xact_lock(hashtext('karvon_readers'));
        grant usage on schema {{ this.schema }} to karvon_readers;
        grant select on {{ this }} to karvon_readers;
        {% if model.config.materialized == 'view' %}
            alter view {{ this }} set (security_invoker = true);
        {% else %}
            alter table {{ this }} enable row level security;
            drop policy if exists rows_of_the_user on {{ this }};
            create policy rows_of_the_user on {{ this }} for select
            using ('karvon_user_' || user_id = current_user);
        {% endif %}
    {% endif %}
{% endmacro %}
