{#
Every version of each document of a raw table, tombstones included: for models in which each version is a
fact. The counterpart of latest_documents.

An incremental run takes the pending loads, each whole: with unique_key='load_id' a load that grew replaces its
rows. A document that a load holds twice counts once. built_at is the run that staged the version; what reads
it incrementally goes by that and never by landed_at, because loads arrive out of order (see is_new_for).
#}
{% macro document_versions(source_name, table_name) %}
    {% set declared = source(source_name, table_name) %}
    {% if execute and not landed(declared.schema, declared.identifier) %}
        select
            cast(null as text) as connection, cast(null as text) as document_key, cast(null as json) as document,
            {{ cast_type('timestamp') }} as landed_at, cast(null as boolean) as is_deleted,
            cast(null as text) as load_id, {{ cast_type('timestamp') }} as built_at
        where false
    {% else %}
        select
            connection, document_key, document, landed_at, coalesce(is_deleted, false) as is_deleted,
            _dlt_load_id as load_id, {{ current_moment() }} as built_at
        from (
            select
                raw.*,
                row_number() over (
                    partition by raw.connection, raw.document_key, raw._dlt_load_id
                    order by raw.landed_at desc nulls last, raw.document_hash desc nulls last
                ) as copy_number
            from {{ declared }} as raw
            {% if is_incremental() %}
            where raw._dlt_load_id in ({{ pending_load_ids() }})
            {% endif %}
        ) as copies
        where copy_number = 1
    {% endif %}
{% endmacro %}

{# The columns of document_versions that unpack passes through. #}
{% macro version_columns() %}
    {{ return(['connection', 'document_key', 'landed_at', 'is_deleted', 'load_id', 'built_at']) }}
{% endmacro %}

{# Identity of one version of one document. #}
{% macro version_key(relation=none) -%}
    {%- set prefix = relation ~ '.' if relation else '' -%}
    {{ prefix }}connection || ':' || {{ prefix }}document_key || ':' || {{ prefix }}load_id
{%- endmacro %}


{#
Rows of an upstream relation that this incremental model has not seen: those built after its own newest row.
True for all of them in a full build. One dbt run at a time makes this safe: whatever is built later has a later time.
The time is asked for first: Postgres takes an index for a time that it knows, and reads the whole history for one that
it does not.
#}
{% macro is_new_for(relation_alias) -%}
    {%- if is_incremental() -%}
        {{ relation_alias }}.built_at > timestamptz '{{ newest_build() }}'
    {%- else -%}
        {#- Always true; it names the relation, as the other branch does. -#}
        coalesce({{ relation_alias }}.built_at = {{ relation_alias }}.built_at, true)
    {%- endif -%}
{%- endmacro %}


{# When the newest row of this incremental model was made, as text. #}
{% macro newest_build() %}
    {% set found = run_query("select cast(coalesce(max(built_at), timestamptz '1970-01-01 00:00:00+00') as text) from " ~ this) %}
    {{ return(found.rows[0][0]) }}
{% endmacro %}


{#
The columns by which an incremental model is asked for what is new. Postgres needs an index on each, and statistics, to
read only that; DuckDB knows the least and the greatest value of each block of rows.
#}
{% macro indexes(columns) %}
    {% set found = [] %}
    {% for column in columns if target.type == 'postgres' %}
        {% do found.append({'columns': [column]}) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{#
Autovacuum comes a minute later, and the next model is planned now: all columns after a full build, then only how many
rows are new. A planner that expects one new row where there are thousands compares each with each.
#}
{% macro gather_statistics() %}
    {% if execute and flags.WHICH in ['run', 'build'] and target.type == 'postgres' and model.config.materialized == 'incremental' %}
        {% if not is_incremental() %}
            analyze {{ this }}
        {% elif {'columns': ['built_at']} in model.config.indexes %}
            analyze {{ this }} (built_at)
        {% endif %}
    {% endif %}
{% endmacro %}


{# The raw `observations` of a source: what was looked at. Empty when the source was never loaded. #}
{% macro pending_observations(source_name) %}
    {% set declared = source(source_name, 'observations') %}
    {% if execute and not landed(declared.schema, declared.identifier) %}
        select
            cast(null as text) as connection, cast(null as text) as resource, cast(null as text) as scope,
            {{ cast_type('timestamp') }} as observed_at, cast(null as boolean) as is_complete,
            cast(null as text) as load_id, {{ current_moment() }} as built_at
        where false
    {% else %}
        select
            connection, resource, scope, observed_at, coalesce(is_complete, false) as is_complete,
            _dlt_load_id as load_id, {{ current_moment() }} as built_at
        from {{ declared }}
        {% if is_incremental() %}
        where _dlt_load_id in ({{ pending_load_ids() }})
        {% endif %}
    {% endif %}
{% endmacro %}
