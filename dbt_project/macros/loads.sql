{#
How a staging model knows what is new (design §3).

staging.processed_loads  (model, load_id)              loads that a model has fully taken in
staging.pending_loads    (model, load_id, is_settled, row_count)  loads the present run of a model looks at
staging.model_checksums  (model, checksum)             the SQL that the model's rows were made with
staging.rejected_documents                             what broke a rule (macros/rejects.sql)

A load is settled when dlt has written it to _dlt_loads, or when it is older than a day (a killed load
never gets there, yet its rows count). A load that is still being committed is looked at again by the
next run, if it has grown since (row_count). There is no watermark: parallel loads finish out of order.
All three statements run in the transaction of the model they belong to.
#}

{% macro start_load_bookkeeping() %}
    {% if execute and flags.WHICH in ['run', 'build'] %}
        create schema if not exists staging;
        create table if not exists staging.processed_loads (model text, load_id text);
        create table if not exists staging.pending_loads (model text, load_id text, is_settled boolean, row_count bigint);
        create table if not exists staging.model_checksums (model text, checksum text);
        create table if not exists staging.rejected_documents (
            model text, source text, connection text, resource text, document_key text, field text, value text, reason text,
            since timestamptz, is_of_this_build boolean
        );
    {% endif %}
{% endmacro %}


{# The raw table a staging model reads: its one source. #}
{% macro raw_table_of_this_model() %}
    {% set ids = [] %}
    {% for id in model.depends_on.nodes if id.startswith('source.') %}
        {% do ids.append(id) %}
    {% endfor %}
    {% if ids | length != 1 %}
        {{ exceptions.raise_compiler_error(model.name ~ ' must read exactly one source table, it reads ' ~ (ids | length)) }}
    {% endif %}
    {% set node = graph.sources[ids[0]] %}
    {{ return({'schema': node.schema, 'identifier': node.identifier}) }}
{% endmacro %}


{% macro landed(schema, identifier) %}
    {{ return(adapter.get_relation(database=target.database, schema=schema, identifier=identifier)) }}
{% endmacro %}


{#
Two dbt at once on one incremental model would each delete what was there and insert the same rows. Karvon runs one at
a time (karvon/turns.py); a dbt that somebody starts beside it waits here for the transaction of the other, and then
sees what that one took in. DuckDB's file lets only one in.
#}
{% macro one_build_of_this_model() %}
    {% if execute and flags.WHICH in ['run', 'build'] %}
        {{ adapter.dispatch('one_build_of_this_model')() }}
    {% endif %}
{% endmacro %}

{% macro default__one_build_of_this_model() %}{% endmacro %}

{% macro postgres__one_build_of_this_model() -%}
    select pg_advisory_xact_lock(hashtext('build of {{ this }}'));
{%- endmacro %}


{% macro capture_pending_loads() %}
    {% if execute and flags.WHICH in ['run', 'build'] %}
        {{ one_build_of_this_model() }}
        {% set raw = raw_table_of_this_model() %}
        {% set documents = landed(raw.schema, raw.identifier) %}
        delete from staging.pending_loads where model = '{{ model.name }}';
        {% if not is_incremental() %}
            delete from staging.processed_loads where model = '{{ model.name }}';
        {% endif %}
        {% if documents %}
            {% set loads = landed(raw.schema, '_dlt_loads') %}
            insert into staging.pending_loads (model, load_id, is_settled, row_count)
            select
                '{{ model.name }}',
                landed.load_id,
                {% if loads %}
                    exists (select 1 from {{ loads }} as done where done.load_id = landed.load_id and done.status = 0) or
                {% endif %}
                {{ is_older_than_a_day('landed.load_id') }},
                (select count(*) from {{ documents }} as document where document._dlt_load_id = landed.load_id)
            from ({{ distinct_load_ids(documents) }}) as landed
            where not exists (
                select 1 from staging.processed_loads as processed
                where processed.model = '{{ model.name }}' and processed.load_id = landed.load_id
            );
        {% endif %}
    {% endif %}
{% endmacro %}


{% macro settle_pending_loads() %}
    {% if execute and flags.WHICH in ['run', 'build'] %}
        insert into staging.processed_loads (model, load_id)
        select pending.model, pending.load_id from staging.pending_loads as pending
        where pending.model = '{{ model.name }}' and pending.is_settled;
        delete from staging.pending_loads where model = '{{ model.name }}' and is_settled;
        {{ remember_checksum() }}
    {% endif %}
{% endmacro %}


{# What the rows of this model were made with; models that drop_changed_models looks after. #}
{% macro remember_checksum() %}
    {% if execute and flags.WHICH in ['run', 'build'] and model.config.materialized == 'incremental' %}
        delete from staging.model_checksums where model = '{{ model.name }}';
        insert into staging.model_checksums (model, checksum)
        values ('{{ model.name }}', '{{ staging_checksum(model) }}');
    {% endif %}
{% endmacro %}


{# dlt's load ids are epoch seconds as text; anything else is of unknown age and taken as old. #}
{% macro is_older_than_a_day(load_id) -%}
    coalesce({{ try_cast(load_id, 'double precision') }} < extract(epoch from now()) - 86400, true)
{%- endmacro %}


{% macro distinct_load_ids(relation) %}
    {{ return(adapter.dispatch('distinct_load_ids')(relation)) }}
{% endmacro %}

{% macro duckdb__distinct_load_ids(relation) -%}
    select distinct _dlt_load_id as load_id from {{ relation }}
{%- endmacro %}

{# A loose index scan: one index probe per load, where DISTINCT would read every row of the history. #}
{% macro postgres__distinct_load_ids(relation) -%}
    with recursive load_ids as (
        select min(_dlt_load_id) as load_id from {{ relation }}
        union all
        select (select min(_dlt_load_id) from {{ relation }} where _dlt_load_id > load_ids.load_id)
        from load_ids where load_ids.load_id is not null
    )
    select load_id from load_ids where load_id is not null
{%- endmacro %}


{#
What the rows of a staging model were made with: its own SQL, and what the reading macros make of one
column of every type, so that a changed macro rebuilds the models as well.
#}
{% macro staging_checksum(node) %}
    {% set probe = [] %}
    {% for type in unpack_types() %}
        {% do probe.append({'name': type, 'path': 'a.b', 'type': type}) %}
    {% endfor %}
    {% set reading = unpack('probe', probe) ~ json_elements('x', 'y') ~ json_field('x', 'y') ~ json_text('x')
        ~ once_each('x', 'y', 'z[].y') %}
    {% if 'uzex' in node.path %}
        {% set reading = reading ~ uzex_deal_columns() ~ uzex_lot_columns() ~ uzex_item_columns() %}
    {% endif %}
    {{ return(local_md5(node.raw_code ~ reading | replace(' ', ''))) }}
{% endmacro %}


{# A dropped relation makes is_incremental() false: the model is rebuilt in full by this run. #}
{% macro drop_changed_models() %}
    {% if execute and flags.WHICH in ['run', 'build'] %}
        {% set stored = {} %}
        {% for row in run_query('select model, checksum from staging.model_checksums') %}
            {% do stored.update({row[0]: row[1]}) %}
        {% endfor %}
        {% for node in graph.nodes.values()
            if node.resource_type == 'model' and node.config.materialized == 'incremental'
            and (node.schema == 'staging' or 'market' in node.tags) and node.unique_id in selected_resources
        %}
            {% if stored.get(node.name) != staging_checksum(node) %}
                {% set relation = landed(node.schema, node.alias) %}
                {% if relation %}
                    {% do log(node.name ~ ': its SQL changed, it is rebuilt in full', info=true) %}
                    {% do adapter.drop_relation(relation) %}
                {% endif %}
            {% endif %}
        {% endfor %}
    {% endif %}
{% endmacro %}
