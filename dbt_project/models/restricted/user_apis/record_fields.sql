{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='record_key') }}

{% set orders = 'branch, place_1, place_2, place_3' %}

with records as (
    select * from {{ ref('stg_user_apis__records') }}
),

fields as (
    select
        *,
        -- One path by names and places alone, as nearly all are: read without a detour.
        {{ json_text_at('paths', [0, 'path']) }} as only_path,
        {{ json_text_at('paths', [0, 'path']) }} is not null
        and {{ json_text_at('paths', [1, 'path']) }} is null
        and {{ json_text_at('paths', [0, 'lists', 0, 'path']) }} is null
        and take <> 'sum' as is_simple
    from {{ ref('stg_user_apis__definitions') }}
),

definitions as (
    select distinct definition_key, entity, links_to, mapping_hash, is_deleted from fields
),

versions as (
    select
        records.record_key,
        records.definition_key,
        records.user_id,
        records.source_id,
        records.resource,
        records.document_key,
        records.document,
        records.document_hash,
        definitions.mapping_hash,
        definitions.entity,
        definitions.links_to,
        records.is_deleted or definitions.is_deleted as is_gone,
        records.landed_at
    from records
    inner join definitions on records.definition_key = definitions.definition_key
),

changed as (
    select * from versions
    {{ only_changed('versions', 'record_key', ['document_hash', 'mapping_hash', 'is_gone']) }}
),

-- Paths through lists, several paths of a field, and sums: walked level by level.
branches as (
    select
        fields.definition_key,
        fields.field,
        fields.field_type,
        fields.take,
        fields.separator,
        fields.decimal_sign,
        branch.position as branch,
        {{ route_columns('branch.value') }}
    from fields
    cross join lateral {{ json_elements('fields.paths', 'branch') }}
    where not fields.is_simple
),

level_0 as (
    select
        branches.*,
        changed.record_key,
        changed.document as node,
        true as is_chosen,
        cast(0 as bigint) as place_1,
        cast(0 as bigint) as place_2,
        cast(0 as bigint) as place_3
    from changed
    inner join branches on changed.definition_key = branches.definition_key
),

level_1 as ({{ entries_inside('level_0', 1) }}),

level_2 as ({{ entries_inside('level_1', 2) }}),

level_3 as ({{ entries_inside('level_2', 3) }}),

ends as ({{ ends_of_routes() }}),

texts as (
    select
        record_key, field, field_type, take, separator, decimal_sign, is_chosen, {{ orders }},
        nullif(trim({{ json_text('value') }}), '') as their_text,
        {{ json_is_number('value') }} as is_number
    from ends
),

texts_to_add as (
    select * from texts
    where take = 'sum' and their_text is not null
),

added as (
    select
        record_key,
        field,
        -- What cannot be read, or is of two currencies, is shown as it is: no sum without it.
        case
            when count(*) = count(amount) and count(distinct coalesce(named_currency, '')) = 1
                then cast(sum(amount) as text)
            else coalesce(
                min(their_text) filter (where amount is null), min(their_text) filter (where named_currency is not null)
            )
        end as their_text,
        count(*) = count(amount) and count(distinct coalesce(named_currency, '')) = 1 as is_number,
        min(named_currency) as named_currency
    from ({{ read_amounts('texts_to_add') }}) as amounts
    group by record_key, field
),

picked as (
    select
        record_key,
        field,
        case
            when min(take) = 'join'
                -- A separator that is a column: DuckDB wants a constant one.
                then substr(
                    string_agg({{ json_text('separator') }} || their_text, '' order by {{ orders }}) filter (where is_chosen),
                    length({{ json_text('separator') }}) + 1
                )
            else (array_agg(their_text order by {{ orders }}) filter (where is_chosen and their_text is not null))[1]
        end as their_text,
        (array_agg(is_number order by {{ orders }}) filter (where is_chosen and their_text is not null))[1] as is_number,
        -- Another amount at the path than the one that is read; nothing and zero are none.
        count(*) filter (where field_type = 'amount' and their_text ~ '[1-9]') as value_count
    from texts
    where take <> 'sum'
    group by record_key, field, separator
),

walked as (
    select record_key, field, their_text, is_number, named_currency, 1 as value_count from added
    union all
    select record_key, field, their_text, is_number, cast(null as text) as named_currency, value_count from picked
),

conditions as (
    select
        fields.definition_key,
        fields.field,
        one_case.position as case_position,
        {{ json_field('one_case.value', 'then') }} as then_value,
        {{ json_field('condition.value', 'path') }} as path,
        {{ json_entry('condition.value', 'values') }} as accepted,
        {{ json_field('condition.value', 'is_negated') }} = 'true' as is_negated
    from fields
    cross join lateral {{ json_elements('fields.cases', 'one_case') }}
    cross join lateral {{ json_elements(json_entry('one_case.value', 'when'), 'condition') }}
),

said as (
    select
        changed.record_key,
        conditions.field,
        conditions.case_position,
        conditions.then_value,
        conditions.accepted,
        conditions.is_negated,
        nullif(trim({{ json_at_path('changed.document', 'conditions.path') }}), '') as their_text
    from changed
    inner join conditions on changed.definition_key = conditions.definition_key
),

cases_met as (
    select record_key, field, case_position, min(then_value) as then_value
    from said
    group by record_key, field, case_position
    having bool_and(
        case
            when {{ json_text('accepted') }} is null then their_text is not null
            else coalesce({{ json_lookup('accepted', 'their_text') }} is not null, false)
        end <> is_negated
    )
),

cases as (
    select record_key, field, (array_agg(then_value order by case_position))[1] as case_value
    from cases_met
    group by record_key, field
),

read as (
    select
        changed.record_key,
        fields.*,
        -- Once for each field: what follows reads it again.
        case when fields.is_simple then {{ json_value_at('changed.document', 'fields.only_path') }} end as value
    from changed
    inner join fields on changed.definition_key = fields.definition_key
    where fields.field is not null
),

found as (
    select
        read.record_key,
        read.field,
        read.entity,
        read.field_type,
        read.time_zone,
        read.date_order,
        read.decimal_sign,
        read.sign,
        read.reads_one,
        read.is_minor,
        read.minor_digits,
        read.minor_exceptions,
        read.constant_value,
        read.default_value,
        read.value_map,
        cases.case_value,
        walked.named_currency as summed_currency,
        walked.value_count,
        case when read.is_simple then nullif(trim({{ json_text('read.value') }}), '') else walked.their_text end
            as their_value,
        case when read.is_simple then {{ json_is_number('read.value') }} else coalesce(walked.is_number, false) end
            as is_number
    from read
    left join walked on read.record_key = walked.record_key and read.field = walked.field
    left join cases on read.record_key = cases.record_key and read.field = cases.field
),

mapped as (
    select
        *,
        case
            when case_value is not null then case_value
            when constant_value is not null then constant_value
            when value_map is not null and their_value is not null
                then coalesce({{ json_lookup('value_map', 'their_value') }}, default_value, their_value)
            else coalesce(their_value, default_value)
        end as their_text
    from found
),

currencies_said as (
    select record_key, upper(their_text) as currency from mapped
    where field = 'currency' and their_text is not null
),

-- One object: of a join Postgres makes a loop over all currencies for each record.
exponents as (
    select {{ as_json(adapter.dispatch('json_object_of')('currency', 'exponent')) }} as by_currency from {{ ref('currencies') }}
),

amount_texts as (
    select
        mapped.*,
        currencies_said.currency,
        case
            when mapped.is_minor
                then cast({{ json_lookup('exponents.by_currency', 'currencies_said.currency') }} as integer)
        end as exponent,
        case
            when mapped.is_minor
                then cast({{ json_lookup('mapped.minor_exceptions', 'currencies_said.currency') }} as integer)
        end as stated_digits
    from mapped
    left join currencies_said on mapped.record_key = currencies_said.record_key
    cross join exponents
    where mapped.field_type = 'amount' and mapped.their_text is not null
),

amounts as (
    select
        record_key,
        field,
        {{ amount_problem() }} as problem,
        cast(
            {{ product(
                "case when sign = 'absolute' then abs(amount) when sign = 'negative' then -amount else amount end",
                unit_of_digits(), scale=10
            ) }}
            as numeric(24, 4)
        ) as amount
    from ({{ read_amounts('amount_texts') }}) as readings
),

normalised as (
    select
        record_key,
        field,
        case field_type
            when 'email' then case when {{ is_contact('their_text', "'email'") }} then lower(their_text) end
            when 'status' then lower(their_text)
            when 'currency' then upper(their_text)
            when 'phone' then case when {{ is_contact('their_text', "'phone'") }} then {{ phone_digits('their_text') }} end
            when 'timestamp' then {{ normalised_time('their_text', 'date_order', 'time_zone') }}
            else their_text
        end as value_text,
        {{ contact_problem() }} as problem
    from mapped
    where field_type <> 'amount'
    union all
    select record_key, field, case when problem is null then cast(amount as text) end as value_text, problem
    from amounts
),

told as (
    select record_key, field, value_text from normalised
    where value_text is not null
    union all
    select record_key, 'problems' as field, string_agg(problem, '; ' order by field) as value_text
    from normalised
    where problem is not null
    group by record_key
),

objects as (
    select
        record_key,
        {{ json_object_of('field', 'value_text') }} as fields,
        coalesce(bool_or(field = 'is_deleted' and value_text = 'true'), false) as is_deleted,
        coalesce(bool_or(
            field = 'is_ignored' and value_text = 'true' or field = 'status' and value_text = 'ignore'
        ), false) as is_ignored
    from told
    group by record_key
)

select
    changed.record_key,
    changed.definition_key,
    changed.user_id,
    changed.source_id,
    changed.resource,
    changed.document_key,
    changed.entity,
    changed.links_to,
    coalesce(objects.fields, '{}') as fields,
    changed.document_hash,
    changed.mapping_hash,
    changed.is_gone,
    changed.is_gone or coalesce(objects.is_deleted, false) as is_deleted,
    coalesce(objects.is_ignored, false) as is_ignored,
    changed.landed_at
from changed
left join objects on changed.record_key = objects.record_key
