{#
The newest version of each document of a raw table, tombstones included, in landing's columns.

An incremental run looks only at keys that a pending load touches, but picks their version from the
whole history: loads may arrive out of order, and a document may have been landed twice.
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
        {{ adapter.dispatch('newest_versions')(declared, is_incremental(), identity | join(', ')) }}
    {% endif %}
{% endmacro %}


{% macro touched_keys(raw, identity) -%}
    select distinct {{ identity }} from {{ raw }}
    where _dlt_load_id in (select load_id from staging.pending_loads where model = '{{ model.name }}')
{%- endmacro %}

{% macro duckdb__newest_versions(raw, only_touched, identity) %}
    select {{ identity }}, document, document_hash, landed_at, coalesce(is_deleted, false) as is_deleted
    from {{ raw }}
    {% if only_touched %}
        semi join ({{ touched_keys(raw, identity) }}) as touched using ({{ identity }})
    {% endif %}
    qualify row_number() over (
        partition by {{ identity }}
        order by landed_at desc nulls last, _dlt_load_id desc nulls last, document_hash desc nulls last, is_deleted
    ) = 1
{% endmacro %}

{% macro postgres__newest_versions(raw, only_touched, identity) %}
    select distinct on ({{ identity }})
        {{ identity }}, document, document_hash, landed_at, coalesce(is_deleted, false) as is_deleted
    from {{ raw }}
    {% if only_touched %}
        inner join ({{ touched_keys(raw, identity) }}) as touched using ({{ identity }})
    {% endif %}
    order by
        {{ identity }},
        landed_at desc nulls last, _dlt_load_id desc nulls last, document_hash desc nulls last, is_deleted
{% endmacro %}
