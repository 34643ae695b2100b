with family_attributes as (
    select
        family_key,
        count(*) as attribute_count,
        count(*) filter (where attribute_level = 'parent_level') as parent_level_count,
        count(*) filter (where attribute_level = 'variant_level') as variant_level_count
    from {{ ref('stg_plytix__family_attributes') }}
    where not is_deleted
    group by family_key
),

options as (
    select family_name, string_agg(option_name, ' / ' order by position) as option_names
    from {{ ref('product_options') }}
    group by family_name
)

select
    families.family_key,
    families.connection,
    families.family_id,
    families.name as family_name,
    coalesce(family_attributes.attribute_count, 0) as attribute_count,
    coalesce(family_attributes.parent_level_count, 0) as parent_level_count,
    coalesce(family_attributes.variant_level_count, 0) as variant_level_count,
    coalesce(own.option_names, fallback.option_names) as option_names,
    own.family_name is not null as has_own_options
from {{ ref('stg_plytix__families') }} as families
left join family_attributes on families.family_key = family_attributes.family_key
left join options as own on families.name = own.family_name
left join options as fallback on fallback.family_name = '*'
where not families.is_deleted
