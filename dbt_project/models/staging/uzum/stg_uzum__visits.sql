{#
Which product ids were looked at when, changed or not: what tells "nothing sold" from "not looked". A crawl's scope
is `ids 1000-1999`, or a list such as `ids 5-9,12`. One row per range and block of 1,000 ids, so that a product finds its
visits by an equal block; only complete scopes are visits.
#}
{{ config(unique_key='load_id') }}

with observations as ({{ pending_observations('raw_uzum') }}),

ranges as (
    select
        observations.connection,
        observations.observed_at,
        observations.load_id,
        observations.built_at,
        {{ cast_text("split_part(range.part, '-', 1)", 'integer') }} as range_first_id,
        {{ cast_text("coalesce(nullif(split_part(range.part, '-', 2), ''), split_part(range.part, '-', 1))", 'integer') }}
            as range_last_id
    from observations
    cross join lateral {{ each_part("substr(observations.scope, 5)", ' *, *', 'range') }}
    where observations.resource = 'products' and observations.is_complete and observations.scope like 'ids %'
)

select
    ranges.connection || ':' || cast(ranges.range_first_id as text) || ':' || cast(block.number as text) || ':'
    || ranges.load_id as visit_key,
    ranges.connection,
    {{ whole('block.number') }} as id_block,
    greatest(ranges.range_first_id, block.number * 1000) as first_id,
    least(ranges.range_last_id, block.number * 1000 + 999) as last_id,
    ranges.observed_at,
    {{ local_date('ranges.observed_at') }} as visit_date,
    ranges.load_id,
    ranges.built_at
from ranges
cross join
    lateral
    {{ each_number(whole('floor(ranges.range_first_id / 1000.0)'), whole('floor(ranges.range_last_id / 1000.0)'), 'block') }}
where ranges.range_first_id is not null and ranges.range_last_id >= ranges.range_first_id
