{#
Data of others never stop a build. What breaks a rule (a key twice in a list, a position out of range, a type that
changed, a value that is none of its type) is put aside: it goes to marts.rejected_documents, everything else is built,
and what the source mends leaves that list with the next load.

A staging model takes part with one column, `rejects`: what is wrong with its row, as JSON objects joined by commas, null
when all is well. `unpack` makes it, `once_each` adds the keys of a list, `rejected` writes further ones. Where a model
has a column is_put_aside as well, its rows are taken out of the table after they are recorded.
#}

{# One broken rule of one document. `field` is a path as the source writes it; all are SQL expressions. #}
{% macro rejected(field, value, reason, document_key='document_key') -%}
    '{"key":' || {{ json_string(document_key) }} || ',"field":' || {{ json_string(field) }}
    || ',"value":' || coalesce({{ json_string('left(' ~ value ~ ', 60)') }}, 'null')
    || ',"reason":' || {{ json_string(reason) }} || '}'
{%- endmacro %}

{# Several rejects in one; each an SQL expression that is null when all is well. #}
{% macro joined_rejects(found) -%}
    nullif(concat_ws(',', {{ found | join(', ') }}), '')
{%- endmacro %}


{#
The entries of a list by their key: of those that share it the first of the list counts. The others, and entries without
a key, are put aside.

relation  what `unpack` made of the entries, with connection, document_key and position (from 1; null on a row that only
          carries what is wrong with the list itself); of_document is what is wrong with the document as a whole
key       the column that identifies an entry within the document, `path` where the source has it, for people: skuList[].id
within    the columns besides connection and document_key that tell versions of a document apart
#}
{% macro once_each(relation, key, path, within=[], of_document='cast(null as text)') %}
    {%- set list, field = path.split('[]') -%}
    {%- set at = "'" ~ list ~ "[' || cast(position - 1 as text) || ']" ~ field ~ "'" -%}
    select
        counted.*,
        {{ key }} is null or copy_number > 1 as is_put_aside,
        {{ joined_rejects([
            'rejects',
            'case when coalesce(position, 1) = 1 then ' ~ of_document ~ ' end',
            'case when position is not null and ' ~ key ~ ' is null and rejects is null then '
            ~ rejected(at, 'cast(null as text)', "'has no value; the entry is left out'") ~ ' end',
            'case when ' ~ key ~ ' is not null and copy_number > 1 then '
            ~ rejected(at, 'cast(' ~ key ~ ' as text)', "'is listed twice; the first entry counts'") ~ ' end',
        ]) }} as all_rejects
    from (
        select
            entries.*,
            row_number() over (
                partition by {{ (['connection', 'document_key'] + within + [key]) | join(', ') }} order by position
            ) as copy_number
        from {{ relation }} as entries
    ) as counted
{% endmacro %}


{# After a staging model was built: what is wrong with the newest versions of the documents that it took in. #}
{% macro record_rejects() %}
    {% set made_of = adapter.get_columns_in_relation(this) | map(attribute='name') | list if execute else [] %}
    {% if execute and flags.WHICH in ['run', 'build'] and 'rejects' in made_of %}
        {% set raw = raw_table_of_this_model() %}
        {% set documents = landed(raw.schema, raw.identifier) %}
        {% if target.type == 'postgres' and not is_incremental() %}
            create index on {{ this }} (landed_at) where rejects is not null;
        {% endif %}
        {% if documents %}
            insert into staging.rejected_documents (
                model, source, connection, resource, document_key, field, value, reason, since, is_of_this_build
            )
            select
                '{{ model.name }}', '{{ raw.schema | replace("raw_", "") }}', found.connection, '{{ raw.identifier }}',
                found.document_key, found.field, max(found.value), found.reason,
                min(coalesce(known.since, found.landed_at)), true
            from (
                select
                    made.connection, made.landed_at,
                    {{ json_field('entry.value', 'key') }} as document_key, {{ json_field('entry.value', 'field') }} as field,
                    {{ json_field('entry.value', 'value') }} as value, {{ json_field('entry.value', 'reason') }} as reason
                from {{ this }} as made
                cross join lateral {{ json_elements(as_json("'[' || made.rejects || ']'"), 'entry') }}
                where made.rejects is not null
            ) as found
            inner join ({{ newest_of_pending(documents) }}) as newest
                on
                    found.connection = newest.connection and found.document_key = newest.document_key
                    and found.landed_at = newest.landed_at and not newest.is_gone
            left join staging.rejected_documents as known
                on
                    known.model = '{{ model.name }}' and found.connection = known.connection
                    and found.document_key = known.document_key and found.field = known.field and found.reason = known.reason
            group by found.connection, found.document_key, found.field, found.reason;
            delete from staging.rejected_documents where model = '{{ model.name }}' and not is_of_this_build
            {% if is_incremental() %}
                and exists (
                    select 1 from {{ documents }} as taken
                    where
                        taken.connection = rejected_documents.connection
                        and taken.document_key = rejected_documents.document_key
                        and taken._dlt_load_id in ({{ pending_load_ids() }})
                )
            {% endif %};
            update staging.rejected_documents set is_of_this_build = false
            where model = '{{ model.name }}' and is_of_this_build;
        {% endif %}
        {% if 'is_put_aside' in made_of %}
            delete from {{ this }} where is_put_aside;
        {% endif %}
    {% endif %}
{% endmacro %}

{# Of the documents that this build took in: when the newest version of each landed, and whether it is a tombstone. #}
{% macro newest_of_pending(documents) %}
    select
        raw.connection, raw.document_key, max(raw.landed_at) as landed_at,
        coalesce(max(case when raw.is_deleted then raw.landed_at end) = max(raw.landed_at), false) as is_gone
    from {{ documents }} as raw
    {% if is_incremental() %}
    where exists (
        select 1 from {{ documents }} as pending
        where
            pending.connection = raw.connection and pending.document_key = raw.document_key
            and pending._dlt_load_id in ({{ pending_load_ids() }})
    )
    {% endif %}
    group by raw.connection, raw.document_key
{% endmacro %}
