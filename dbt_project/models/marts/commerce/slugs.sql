{#
A slug is given once and for ever, when a row is first ready for the shop; this model only ever adds rows.
The first free candidate wins: the name, the name with a second mark (SKU, category path), the name with
a hash of the key. A slug that was ever given is not given again.
#}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='fail',
) }}

{% set hashed_length = var('slug_max_length') - 33 %}

with ready as (
    select
        'product' as entity,
        readiness.product_key as entity_key,
        readiness.name as first_choice,
        concat_ws(' ', readiness.name, readiness.sku) as second_choice,
        products.created_at
    from {{ ref('product_readiness') }} as readiness
    inner join {{ ref('products') }} as products on readiness.product_key = products.product_key
    where readiness.state in ('ready', 'partly ready')
    union all
    select
        'sku' as entity,
        variants.sku_key as entity_key,
        variants.name as first_choice,
        concat_ws(' ', variants.name, variants.sku_code) as second_choice,
        variants.created_at
    from {{ ref('product_variants') }} as variants
    inner join {{ ref('product_readiness') }} as readiness on variants.product_key = readiness.product_key
    where readiness.state in ('ready', 'partly ready') and variants.hold_reasons is null
    union all
    select
        'category' as entity,
        categories.category_key as entity_key,
        categories.name as first_choice,
        categories.path as second_choice,
        {{ cast_type('timestamp') }} as created_at
    from {{ ref('categories') }} as categories
    where categories.name is not null
    union all
    select
        'brand' as entity,
        products.connection || ':' || products.brand as entity_key,
        products.brand as first_choice,
        concat_ws(' ', products.connection, products.brand) as second_choice,
        min(products.created_at) as created_at
    from {{ ref('products') }} as products
    inner join {{ ref('product_readiness') }} as readiness on products.product_key = readiness.product_key
    where readiness.state in ('ready', 'partly ready') and products.brand is not null
    group by products.connection, products.brand
),

given as (
    {% if is_incremental() %}
        select entity, entity_key, slug from {{ this }}
    {% else %}
    select
        '' as entity,
        '' as entity_key,
        '' as slug
    where false
    {% endif %}
),

newcomers as (
    select ready.* from ready
    left join given on ready.entity = given.entity and ready.entity_key = given.entity_key
    where given.entity_key is null
),

candidates as (
    select
        entity,
        entity_key,
        created_at,
        coalesce({{ slugify('first_choice') }}, entity || '-' || left(md5(entity_key), 12)) as first_slug,
        coalesce({{ slugify('second_choice') }}, entity || '-' || md5(entity_key)) as second_slug,
        concat_ws('-', {{ slugify('first_choice', hashed_length) }}, left(md5(entity_key), 8)) as third_slug,
        concat_ws('-', {{ slugify('first_choice', hashed_length) }}, md5(entity_key)) as last_slug
    from newcomers
),

ranked as (
    select
        candidates.*,
        row_number() over (partition by entity, first_slug order by created_at, entity_key) as first_rank,
        row_number() over (partition by entity, second_slug order by created_at, entity_key) as second_rank,
        row_number() over (partition by entity, third_slug order by created_at, entity_key) as third_rank
    from candidates
),

{# A slug is free when nobody has it and it is no better choice of another newcomer. #}
first_choices as (
    select distinct entity, first_slug as slug from candidates
),

better_choices as (
    select entity, slug from first_choices
    union
    select entity, second_slug as slug from candidates
),

checked as (
    select
        ranked.*,
        ranked.first_rank = 1 and given_first.slug is null as is_first_free,
        ranked.second_rank = 1 and given_second.slug is null and better_than_second.slug is null as is_second_free,
        ranked.third_rank = 1 and given_third.slug is null and better_than_third.slug is null as is_third_free
    from ranked
    left join given as given_first
        on ranked.entity = given_first.entity and ranked.first_slug = given_first.slug
    left join given as given_second
        on ranked.entity = given_second.entity and ranked.second_slug = given_second.slug
    left join given as given_third
        on ranked.entity = given_third.entity and ranked.third_slug = given_third.slug
    left join first_choices as better_than_second
        on ranked.entity = better_than_second.entity and ranked.second_slug = better_than_second.slug
    left join better_choices as better_than_third
        on ranked.entity = better_than_third.entity and ranked.third_slug = better_than_third.slug
)

select
    entity || ':' || entity_key as slug_key,
    entity,
    entity_key,
    case
        when is_first_free then first_slug
        when is_second_free then second_slug
        when is_third_free then third_slug
        else last_slug
    end as slug,
    {{ current_moment() }} as given_at
from checked
