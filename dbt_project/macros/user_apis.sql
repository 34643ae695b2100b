{#
Cleaning by data (docs/user_apis.md): paths, value maps and zones are columns of the mapping, so a thousand
sources are the same few models.
#}

{# The text at a path that is itself a column ($."a"[0]."b" on both engines). #}
{% macro json_at_path(document, path) -%}
    {{ return(adapter.dispatch('json_at_path')(document, path)) }}
{%- endmacro %}

{% macro duckdb__json_at_path(document, path) -%}
    json_extract_string({{ document }}, {{ path }})
{%- endmacro %}

{% macro postgres__json_at_path(document, path) -%}
    (jsonb_path_query_first({{ document }}, cast({{ path }} as jsonpath)) #>> '{}')
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
