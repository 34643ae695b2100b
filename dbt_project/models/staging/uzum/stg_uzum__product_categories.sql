{#
The category chain that each product carries, leaf first (level 1): leaves deeper than the category tree occur
only here (dossier §1.5). One row per leaf, ancestor and load. Chains longer than six levels are cut off at the root's end.
#}
{{ config(unique_key='load_id', indexes=indexes(['load_id', 'built_at'])) }}

{% set levels = range(6) %}
{% set columns = [] %}
{% for level in levels %}
{% do columns.append({'name': 'id_' ~ level, 'path': 'category' ~ '.parent' * level ~ '.id', 'type': 'integer'}) %}
{% do columns.append({'name': 'title_' ~ level, 'path': 'category' ~ '.parent' * level ~ '.title'}) %}
{% endfor %}

with documents as ({{ document_versions('raw_uzum', 'products') }}),

unpacked as ({{ unpack('documents', columns, keep=version_columns()) }}),

leaves as (
    select distinct on (connection, load_id, id_0) *
    from unpacked
    where id_0 is not null and not is_deleted
    order by connection asc, load_id asc, id_0 asc, landed_at desc, document_key asc
),

chains as (
    {% for level in levels %}
    select
        connection,
        id_0 as leaf_category_id,
        cast({{ level + 1 }} as integer) as level,
        id_{{ level }} as category_id,
        {% if not loop.last %}id_{{ level + 1 }}{% else %}cast(null as bigint){% endif %} as parent_category_id,
        title_{{ level }} as title,
        case when {{ level }} = 0 then leaves.rejects end as rejects,
        landed_at,
        load_id,
        built_at
    from leaves
    where id_{{ level }} is not null
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    connection || ':' || cast(leaf_category_id as text) || ':' || cast(level as text) || ':' || load_id as chain_key,
    connection || ':' || cast(leaf_category_id as text) as leaf_category_key,
    connection || ':' || cast(category_id as text) as category_key,
    connection || ':' || cast(parent_category_id as text) as parent_category_key,
    connection,
    category_id,
    level,
    trim(title) as title,
    landed_at,
    load_id,
    built_at,
    rejects
from chains
