{#
The newest version of each document of a raw table, tombstones included, in landing's columns.

An incremental run reads the documents of the pending loads alone: what it finds elsewhere as newest, it has taken in
before. Loads may arrive out of order, so a pending version counts only when the history holds none that is newer.
A raw table that was never landed reads as empty. `identity` are the columns that make a document's key.
#}
{% macro latest_documents(source_name, table_name, identity=['connection', 'document_key']) %}
    {% set declared = source(source_name, table_name) %}
    {% if execute and not landed(declared.schema, declared.identifier) %}
        select
            {% for column in identity %}cast(null as text) as {{ column }}, {% endfor %}
            cast(null as json) as document, cast(null as text) as document_hash, {{ cast_type('timestamp') }} as landed_at, cast(null as boolean) as is_deleted
        where false
    {% else %}
        {{ newest_versions(declared, is_incremental(), identity) }}
    {% endif %}
{% endmacro %}


{% macro pending_load_ids() -%}
    select pending.load_id from staging.pending_loads as pending where pending.model = '{{ model.name }}'
{%- endmacro %}

{% macro newest_versions(raw, only_pending, identity) %}
    select distinct on ({{ prefixed('raw', identity) }})
        {{ prefixed('raw', identity) }}, raw.document, raw.document_hash, raw.landed_at,
        coalesce(raw.is_deleted, false) as is_deleted
    from {{ raw }} as raw
    {% if only_pending %}
    {# Keys and times alone find what is out of date: documents are read after that, and only these. #}
    left join (
        select distinct {{ prefixed('pending', identity) }}, pending.landed_at, pending._dlt_load_id
        from {{ raw }} as pending
        inner join {{ raw }} as newer
            on
                {% for column in identity %}pending.{{ column }} = newer.{{ column }} and {% endfor %}
                (newer.landed_at, newer._dlt_load_id) > (pending.landed_at, pending._dlt_load_id)
        where pending._dlt_load_id in ({{ pending_load_ids() }})
    ) as outdated
        on
            {% for column in identity %}raw.{{ column }} = outdated.{{ column }} and {% endfor %}
            raw.landed_at = outdated.landed_at and raw._dlt_load_id = outdated._dlt_load_id
    where raw._dlt_load_id in ({{ pending_load_ids() }}) and outdated._dlt_load_id is null
    {% endif %}
    order by
        {{ prefixed('raw', identity) }},
        raw.landed_at desc nulls last, raw._dlt_load_id desc nulls last, raw.document_hash desc nulls last, raw.is_deleted
{% endmacro %}

{% macro prefixed(relation, columns) -%}
    {% for column in columns %}{{ relation }}.{{ column }}{% if not loop.last %}, {% endif %}{% endfor %}
{%- endmacro %}


{#
For models with several rows per document, before they take in the new versions: a product may have lost all its
photos, and then no row would come to replace the old ones. `prefix` stands before the document's key in the unique key.
#}
{% macro forget_changed_documents(prefix='') %}
    {% if execute and flags.WHICH in ['run', 'build'] and is_incremental() %}
        {% set raw = raw_table_of_this_model() %}
        {% set documents = landed(raw.schema, raw.identifier) %}
        {% if documents %}
        delete from {{ this }} where {{ model.config.unique_key }} in (
            select connection || ':{{ prefix }}' || document_key
            from ({{ newest_versions(documents, true, ['connection', 'document_key']) }}) as changed
        )
        {% endif %}
    {% endif %}
{% endmacro %}
