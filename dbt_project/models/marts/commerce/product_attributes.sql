with items as (
    select product_key, connection, attributes from {{ ref('stg_plytix__products') }}
    where not is_deleted
),

attributes as (
    select * from {{ ref('stg_plytix__attributes') }}
    where not is_deleted
),

attribute_values as (
    select
        items.product_key,
        items.connection,
        entry.key as attribute_label,
        nullif(trim({{ json_words('entry.value') }}), '') as value_text
    from items
    cross join lateral {{ json_entries('items.attributes', 'entry') }}
),

group_members as (
    select
        attribute_groups.connection,
        {{ json_text('member.value') }} as attribute_label,
        attribute_groups.name as group_name,
        attribute_groups.position as group_position,
        member.position as position_in_group,
        row_number() over (
            partition by attribute_groups.connection, {{ json_text('member.value') }}
            order by attribute_groups.position, attribute_groups.attribute_group_key
        ) as choice
    from {{ ref('stg_plytix__attribute_groups') }} as attribute_groups
    cross join lateral {{ json_elements('attribute_groups.attribute_labels', 'member') }}
    where not attribute_groups.is_deleted
),

labels as (
    select connection, attribute_label, min(name) as name, min(type_class) as type_class
    from attributes
    group by connection, attribute_label
)

select
    attribute_values.product_key || ':' || attribute_values.attribute_label as product_attribute_key,
    attribute_values.product_key,
    attribute_values.attribute_label,
    coalesce(labels.name, attribute_values.attribute_label) as attribute_name,
    labels.type_class,
    group_members.group_name,
    cast(group_members.group_position as bigint) as group_position,
    cast(group_members.position_in_group as bigint) as position_in_group,
    attribute_values.value_text
from attribute_values
left join labels
    on
        attribute_values.connection = labels.connection
        and attribute_values.attribute_label = labels.attribute_label
left join group_members
    on
        attribute_values.connection = group_members.connection
        and attribute_values.attribute_label = group_members.attribute_label
        and group_members.choice = 1
where attribute_values.value_text is not null
