{#
Why a product is not in the shop, in sentences. `off` products leave the shop; `held` products stay in it
as they are until the reason is gone. The SKU of a single speaks for the product; of several SKUs each is
held on its own, and the product only when none is left.
#}
with products as (
    select * from {{ ref('products') }}
),

{# What a completeness attribute asks for; accounts without one are not held to it. #}
completeness as (
    select connection, completeness_attributes from {{ ref('stg_plytix__attributes') }}
    where attribute_label = 'web_completeness' and not is_deleted
),

accounts_with_completeness as (
    select distinct connection from completeness
),

asked as (
    select
        completeness.connection,
        {{ json_field('attribute.value', 'label') }} as attribute_label,
        attribute.position
    from completeness
    cross join lateral {{ json_elements('completeness.completeness_attributes', 'attribute') }}
),

missing as (
    select
        products.product_key,
        string_agg(asked.attribute_label, ', ' order by asked.position) as labels
    from products
    inner join asked on products.connection = asked.connection
    left join {{ ref('product_attributes') }} as filled
        on products.product_key = filled.product_key and asked.attribute_label = filled.attribute_label
    where filled.product_key is null
    group by products.product_key
),

{# SKUs that share a reason are told together: a product can have hundreds. #}
shared_reasons as (
    select
        product_key,
        hold_reasons,
        is_variant,
        count(*) as sku_count,
        min(position) as first_position,
        min(coalesce(sku_code, '?')) as first_sku
    from {{ ref('product_variants') }}
    where hold_reasons is not null
    group by product_key, hold_reasons, is_variant
),

sku_reasons as (
    select
        product_key,
        string_agg(
            case
                when is_variant
                    then
                        'SKU ' || first_sku
                        || case when sku_count > 1 then ' and ' || cast(sku_count - 1 as text) || ' more' else '' end
                        || ': ' || hold_reasons
            end, '; ' order by first_position
        ) as variant_reasons,
        max(case when not is_variant then hold_reasons end) as single_reasons
    from shared_reasons
    group by product_key
),

judged as (
    select
        products.product_key,
        products.connection,
        products.sku,
        products.name,
        {{ sentences([
            "case when products.status = 'Archived' then 'status is Archived' end",
            "case when not products.is_on_web and coalesce(products.cast_failures, '') not like '%is_on_web%'
                then 'show_on_web is not true' end",
        ]) }} as off_reasons,
        {{ sentences([
            "case when coalesce(products.status, '') not in ('Completed', 'Archived')
                then 'status is ' || coalesce(products.status, 'empty') end",
            "case when completeness.connection is not null and products.web_completeness is null
                then 'web_completeness is empty' end",
            "case when products.web_completeness < 100
                then 'web_completeness is ' || " ~ plain_number('products.web_completeness')
                ~ " || coalesce(' (missing: ' || missing.labels || ')', '') end",
            "products.cast_problems",
            "case when products.is_orphan then 'its parent product is not in the data of Plytix' end",
            "case when products.lacks_variants then 'it has no variants yet' end",
            "case when products.name is null then 'it has no name' end",
            "case when length(products.name) > " ~ var('webflow_name_max_length')
                ~ " then 'name is ' || cast(length(products.name) as text) || ' characters long, Webflow takes "
                ~ var('webflow_name_max_length') ~ "' end",
            "case when products.tax_category not in ('" ~ webflow_tax_categories() | join("', '")
                ~ "') then 'tax_category \"' || products.tax_category || '\" is not one of Webflow' end",
            "case when products.has_variants and products.priced_sku_count = 0 then 'no SKU with a price' end",
            "case when products.has_variants and products.priced_sku_count > 0 and products.ready_sku_count = 0
                then 'no SKU that can be sold' end",
            "sku_reasons.single_reasons",
        ]) }} as hold_reasons,
        sku_reasons.variant_reasons,
        products.ready_sku_count,
        products.sku_count
    from products
    left join accounts_with_completeness as completeness on products.connection = completeness.connection
    left join missing on products.product_key = missing.product_key
    left join sku_reasons on products.product_key = sku_reasons.product_key
)

select
    product_key,
    connection,
    sku,
    name,
    case
        when off_reasons is not null then 'off'
        when hold_reasons is not null then 'held'
        when variant_reasons is not null then 'partly ready'
        else 'ready'
    end as state,
    coalesce(off_reasons, {{ sentences(['hold_reasons', 'variant_reasons']) }}) as reasons,
    case when off_reasons is null then hold_reasons end as hold_reasons,
    sku_count,
    ready_sku_count
from judged
