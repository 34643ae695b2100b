{#
Takes a JSON column apart into typed columns, all paths in one pass (design §3).

    unpack('documents', [
        {'name': 'price_amount', 'path': 'attributes.price', 'type': 'numeric(18, 4)'},
        {'name': 'parent_id', 'path': ['parent_id', '_parent_id']},
    ])

relation  a CTE or relation that holds the columns of `keep` and the JSON column `document`
columns   name; path (dotted; of a list of paths the first with a value counts); type, one of
          text (default), integer, number, numeric(p, s), boolean, timestamp, date: read from text, '' is null
          local_timestamp: a time without an offset is Tashkent's; epoch_ms: milliseconds since 1970,
          or, where an API does not keep to its own description, a local_timestamp
          words: a string, or a list of strings joined by ", "
          id / ids: tolerant id readers, see json_ids        object / json: kept as JSON
          list: a JSON list, also one that stands in a string
keep      columns that pass through
entry_of  when the documents are entries of a list (`position` in `keep`, from 1): the list's path

Besides the columns: cast_failures, a comma list of the columns whose text is no value of their type,
cast_problems, the same as a sentence for people, and rejects, the same for marts.rejected_documents (macros/rejects.sql).
All are null when all is well.
#}
{% macro unpack(relation, columns, keep=['connection', 'document_key', 'landed_at', 'is_deleted'], document='document', entry_of='') %}
    {%- set typed = [] -%}
    {%- for column in columns if column.get('type', 'text') not in ['words', 'id', 'ids', 'json'] -%}
        {%- do typed.append({'name': column.name, 'type': column.get('type', 'text'), 'path': unpack_paths(column)[0]}) -%}
    {%- endfor -%}
    {%- set names, sentences, rejects = [], [], [] -%}
    {%- for column in typed -%}
        {%- set raw = unpack_raw_text(column) -%}
        {%- set broken = 'case when ' ~ unpack_is_broken(column) ~ ' then ' -%}
        {%- set path = "'" ~ column.path ~ "'" -%}
        {%- if entry_of -%}
            {%- set path = "'" ~ entry_of ~ "[' || cast(position - 1 as text) || '].' || " ~ path -%}
        {%- endif -%}
        {%- do names.append(broken ~ "'" ~ column.name ~ "' end") -%}
        {%- do sentences.append(
            broken ~ "'" ~ column.path.split('.') | last ~ ' "\' || left(' ~ raw ~ ', 60) || \'" is not ' ~ unpack_kind(column.type) ~ "' end"
        ) -%}
        {%- if 'document_key' in keep -%}
            {%- do rejects.append(broken ~ rejected(path, raw, "'is not " ~ unpack_kind(column.type) ~ "'") ~ ' end') -%}
        {%- endif -%}
    {%- endfor -%}
    select
        {{ keep | join(', ') }}
        {%- for column in columns %}, {{ column.name }}{% endfor %},
        {{ joined_rejects(names) if names else 'cast(null as text)' }} as cast_failures,
        {{ "nullif(concat_ws('; ', " ~ sentences | join(', ') ~ "), '')" if names else 'cast(null as text)' }} as cast_problems,
        {{ joined_rejects(rejects) if rejects else 'cast(null as text)' }} as rejects
    from (
        select
            {{ keep | join(', ') }}
            {%- for column in typed %}, raw_{{ column.name }}{% endfor %}
            {%- for column in columns -%}
                {%- set type = column.get('type', 'text') %},
                {% if type in ['id', 'ids', 'words', 'object', 'list'] -%}
                    {{ unpack_json_reader(type, 'raw_' ~ column.name) }}
                {%- elif type == 'json' -%}
                    raw_{{ column.name }}
                {%- elif type == 'text' -%}
                    {{ plain_text('raw_' ~ column.name) }}
                {%- else -%}
                    {{ cast_text('raw_' ~ column.name, type) }}
                {%- endif %} as {{ column.name }}
            {%- endfor %}
        from ({{ adapter.dispatch('extract_paths')(relation, columns, keep, document) }}) as extracted
    ) as converted
{% endmacro %}

{# A text; null when an object or a list stands where a text was. #}
{% macro plain_text(raw) -%}
    case when left({{ raw }}, 1) in ('{', '[') and {{ try_json(raw) }} is not null then null else {{ raw }} end
{%- endmacro %}

{# What the source sent for a column, as text. #}
{% macro unpack_raw_text(column) -%}
    {{ 'cast(raw_' ~ column.name ~ ' as text)' if column.type in unpack_json_types() else 'raw_' ~ column.name }}
{%- endmacro %}

{# Whether the source sent something that is none of the column's type. PHP-minded APIs print an empty object as []. #}
{% macro unpack_is_broken(column) -%}
    {%- set raw = 'raw_' ~ column.name -%}
    {%- if column.type == 'object' -%}
        {{ raw }} is not null and {{ json_kind(raw) }} <> 'object' and cast({{ raw }} as text) <> '[]'
    {%- else -%}
        {{ raw }} is not null and {{ column.name }} is null
    {%- endif -%}
{%- endmacro %}


{% macro unpack_types() %}
    {{ return(['text', 'integer', 'number', 'boolean', 'timestamp', 'local_timestamp', 'epoch_ms', 'date'] + unpack_json_types()) }}
{% endmacro %}

{# Types that are read from JSON; the others are read from text. #}
{% macro unpack_json_types() %}
    {{ return(['words', 'id', 'ids', 'object', 'list', 'json']) }}
{% endmacro %}

{% macro unpack_json_reader(type, json) %}
    {% set readers = {'words': json_words, 'id': json_id, 'ids': json_ids, 'object': json_object, 'list': json_list} %}
    {{ return(readers[type](json)) }}
{% endmacro %}

{% macro unpack_paths(column) %}
    {{ return([column.path] if column.path is string else column.path) }}
{% endmacro %}

{% macro unpack_kind(type) %}
    {% set kinds = {
        'text': 'a text', 'object': 'an object', 'list': 'a list', 'integer': 'a whole number', 'boolean': 'true or false', 'date': 'a date',
        'timestamp': 'a time', 'local_timestamp': 'a time', 'epoch_ms': 'a time',
    } %}
    {{ return(kinds.get(type, 'a number')) }}
{% endmacro %}


{# One json_extract call for all texts and one for all JSON values. #}
{% macro duckdb__extract_paths(relation, columns, keep, document) %}
    {%- set found = {'texts': [], 'jsons': []} -%}
    {%- set outputs = [] -%}
    {%- for column in columns -%}
        {%- set kind = 'jsons' if column.get('type', 'text') in unpack_json_types() else 'texts' -%}
        {%- set candidates = [] -%}
        {%- for path in unpack_paths(column) -%}
            {%- do found[kind].append("'$.\"" ~ path | replace('.', '"."') ~ "\"'") -%}
            {%- do candidates.append(
                "nullif(" ~ kind ~ "[" ~ (found[kind] | length) ~ "], 'null')" if kind == 'jsons'
                else "nullif(trim(" ~ kind ~ "[" ~ (found[kind] | length) ~ "]), '')"
            ) -%}
        {%- endfor -%}
        {%- do outputs.append('coalesce(' ~ candidates | join(', ') ~ ', null) as raw_' ~ column.name) -%}
    {%- endfor -%}
    select {{ (keep + outputs) | join(', ') }}
    from (
        select
            {{ keep | join(', ') }}
            {%- for kind, function in [('texts', 'json_extract_string'), ('jsons', 'json_extract')] if found[kind] -%}
            , {{ function }}({{ document }}, [{{ found[kind] | join(', ') }}]) as {{ kind }}
            {%- endfor %}
        from {{ relation }}
    ) as lists
{% endmacro %}


{# The cast to jsonb happens once: OFFSET 0 keeps Postgres from repeating it for every path. #}
{% macro postgres__extract_paths(relation, columns, keep, document) %}
    {%- set outputs = [] -%}
    {%- for column in columns -%}
        {%- set is_json = column.get('type', 'text') in unpack_json_types() -%}
        {%- set candidates = [] -%}
        {%- for path in unpack_paths(column) -%}
            {%- set steps = "'{" ~ path | replace('.', ',') ~ "}'" -%}
            {%- do candidates.append(
                "nullif(document #> " ~ steps ~ ", 'null')" if is_json
                else "nullif(trim(document #>> " ~ steps ~ "), '')"
            ) -%}
        {%- endfor -%}
        {%- do outputs.append('coalesce(' ~ candidates | join(', ') ~ ') as raw_' ~ column.name) -%}
    {%- endfor -%}
    select {{ (keep + outputs) | join(', ') }}
    from (
        select {{ keep | join(', ') }}, cast({{ document }} as jsonb) as document
        from {{ relation }}
        offset 0
    ) as fenced
{% endmacro %}
