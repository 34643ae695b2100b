{#
In which form a product was last meant for the shop: as a single, or as its variants. Plytix calls a single a parent
from the moment that somebody begins to draft its first variant; only this memory tells it from a new parent, whose
variants were never ready. Rows are only ever added.
#}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='fail',
) }}

with items as (
    select * from {{ ref('catalogue_items') }}
),

completed as (
    select
        root_key as product_key,
        max(case when product_key = root_key then 'single' else 'variants' end) as form
    from items
    where
        status = 'Completed'
        and coalesce(variant_status, 'Completed') = 'Completed'
        and not has_children
        and not expects_children
        and not is_orphan
        and (product_key <> root_key or is_on_web)
    group by root_key
),

known as (
    {% if is_incremental() %}
        select
            product_key,
            form,
            row_number() over (partition by product_key order by known_at desc) as nth
        from {{ this }}
    {% else %}
    select
        '' as product_key,
        '' as form,
        1 as nth
    where false
    {% endif %}
)

select
    completed.product_key,
    completed.form,
    {{ current_moment() }} as known_at
from completed
left join known on completed.product_key = known.product_key and known.nth = 1
where known.form is null or known.form <> completed.form
