{#
What is sold: singles, variants without sub-variants, and sub-variants, each below its main record. A single that
got variants is sold as before until one of them is completed.
#}
with items as (
    select * from {{ ref('catalogue_items') }}
),

singles as (
    select product_key from (
        select
            product_key,
            form,
            row_number() over (partition by product_key order by known_at desc) as nth
        from {{ ref('product_forms') }}
    ) as forms
    where nth = 1 and form = 'single'
),

sold as (
    select
        items.*,
        {# Each variant has a readiness of its own: what waits must not speak for, or against, those that are sold. #}
        case
            when items.product_key = items.root_key then null
            when coalesce(items.status, '') <> 'Completed' then 'status is ' || coalesce(items.status, 'empty')
            when items.variant_status <> 'Completed' then 'status of the variant above it is ' || items.variant_status
        end as status_problem
    from items
    left join singles on items.product_key = singles.product_key
    where
        coalesce(items.status, '') <> 'Archived'
        and coalesce(items.variant_status, '') <> 'Archived'
        and (
            (not items.has_children and not items.expects_children)
            or (items.product_key = items.root_key and items.has_children and singles.product_key is not null)
        )
),

option_names as (
    select * from {{ ref('product_options') }}
),

{# A family without options of its own takes those of the family '*'. #}
options as (
    select
        items.product_key as root_key,
        option_names.position,
        option_names.attribute_label,
        option_names.option_name
    from items
    inner join option_names
        on option_names.family_name = case
            when items.family_name in (select own.family_name from option_names as own) then items.family_name
            else '*'
        end
    where items.product_key = items.root_key and items.has_children
),

attribute_values as (
    select product_key, attribute_label, value_text from {{ ref('product_attributes') }}
    where attribute_label in (select option_names.attribute_label from option_names)
),

{# Where a dropdown's value stands in the attribute's own list: S, M, L stay in that order. #}
choices as (
    select
        attributes.connection,
        attributes.attribute_label,
        {{ json_text('choice.value') }} as value_text,
        min(choice.position) as position
    from {{ ref('stg_plytix__attributes') }} as attributes
    cross join lateral {{ json_elements('attributes.options', 'choice') }}
    where not attributes.is_deleted
    group by attributes.connection, attributes.attribute_label, {{ json_text('choice.value') }}
),

option_values as (
    select
        sold.product_key as sku_key,
        sold.root_key,
        sold.status_problem,
        options.position,
        options.option_name,
        coalesce(own.value_text, above.value_text) as value_text,
        choices.position as choice_position
    from sold
    inner join options on sold.root_key = options.root_key and sold.product_key <> sold.root_key
    left join attribute_values as own
        on sold.product_key = own.product_key and options.attribute_label = own.attribute_label
    left join attribute_values as above
        on
            sold.parent_key = above.product_key
            and sold.parent_key <> sold.root_key
            and options.attribute_label = above.attribute_label
    left join choices
        on
            sold.connection = choices.connection
            and options.attribute_label = choices.attribute_label
            and coalesce(own.value_text, above.value_text) = choices.value_text
),

{# An option that no variant of a product has is no option of that product; drafts have a say where all are drafts. #}
used_options as (
    select
        root_key,
        position,
        row_number() over (partition by root_key order by position) as slot
    from (
        select
            root_key,
            position,
            value_text,
            status_problem,
            min(case when status_problem is null then 0 else 1 end) over (partition by root_key) as all_wait
        from option_values
    ) as asked
    where value_text is not null and (status_problem is null or all_wait = 1)
    group by root_key, position
),

pivoted as (
    select
        option_values.sku_key,
        {% for slot in [1, 2, 3] -%}
        max(case when used_options.slot = {{ slot }} then option_values.option_name end) as option_{{ slot }}_name,
        max(case when used_options.slot = {{ slot }} then option_values.value_text end) as option_{{ slot }}_value,
        max(case when used_options.slot = {{ slot }} then option_values.choice_position end) as option_{{ slot }}_order,
        {% endfor -%}
        string_agg(
            case when option_values.value_text is null then option_values.option_name end, ', '
            order by option_values.position
        ) as missing_options,
        coalesce(string_agg(option_values.value_text, ' / ' order by option_values.position), '') as option_text
    from option_values
    inner join used_options
        on option_values.root_key = used_options.root_key and option_values.position = used_options.position
    group by option_values.sku_key
),

main_images as (
    select product_key, image_url as url, is_known, is_image from {{ ref('product_assets') }}
    where role = 'main'
),

described as (
    select
        sold.product_key as sku_key,
        sold.root_key as product_key,
        sold.connection,
        sold.parent_key,
        sold.sku as sku_code,
        sold.status,
        sold.gtin,
        coalesce(root.web_title, root.label, root.sku) as product_name,
        sold.product_key <> sold.root_key as is_variant,
        sold.is_orphan,
        pivoted.option_1_name,
        pivoted.option_1_value,
        pivoted.option_1_order,
        pivoted.option_2_name,
        pivoted.option_2_value,
        pivoted.option_2_order,
        pivoted.option_3_name,
        pivoted.option_3_value,
        pivoted.option_3_order,
        pivoted.missing_options,
        coalesce(pivoted.option_text, '') as option_text,
        {% for role in ['price_amount', 'compare_at_price_amount', 'weight_grams'] -%}
        case
            when ',' || coalesce(sold.sku_cast_failures, '') || ',' like '%,{{ role }},%' then null
            else coalesce(sold.{{ role }}, above.{{ role }}, root.{{ role }})
        end as {{ role }},
        {% endfor -%}
        sold.stock_quantity,
        sold.sku_problems,
        sold.status_problem,
        case when sold.status_problem is null then 0 else 1 end as waiting_rank,
        sold.is_marked_default,
        case
            when coalesce(own_image.is_known, above_image.is_known, root_image.is_known) is null then null
            when not coalesce(own_image.is_known, above_image.is_known, root_image.is_known)
                then 'its main image is not among the assets of Plytix'
            when not coalesce(own_image.is_image, above_image.is_image, root_image.is_image)
                then 'its main image is not an image file'
        end as image_problem,
        coalesce(own_image.url, above_image.url, root_image.url) as main_image_url,
        case
            when coalesce(own_image.url, above_image.url, root_image.url) is not null
                then coalesce(sold.image_alt, above.image_alt, root.image_alt, root.web_title, root.label)
        end as main_image_alt,
        case
            when coalesce(sold.gallery_ids, '[]') <> '[]' then sold.product_key
            when coalesce(above.gallery_ids, '[]') <> '[]' then above.product_key
            else root.product_key
        end as gallery_product_key,
        sold.created_at,
        greatest(sold.modified_at, above.modified_at, root.modified_at) as modified_at
    from sold
    inner join items as root on sold.root_key = root.product_key
    left join items as above on sold.parent_key = above.product_key
    left join pivoted on sold.product_key = pivoted.sku_key
    left join main_images as own_image on sold.product_key = own_image.product_key
    left join main_images as above_image on sold.parent_key = above_image.product_key
    left join main_images as root_image on sold.root_key = root_image.product_key
),

{# Of those that do not wait the earlier record is the right one: a twin is held back and says of whom it is one. #}
compared as (
    select
        described.*,
        case
            when is_variant and missing_options is null
                then first_value(sku_code) over (
                    partition by product_key, is_variant, missing_options, option_text order by waiting_rank, created_at, sku_key
                )
        end as same_options_sku,
        case
            when is_variant and missing_options is null
                then row_number() over (
                    partition by product_key, is_variant, missing_options, option_text order by waiting_rank, created_at, sku_key
                )
        end as same_options_rank,
        first_value(sku_code) over (partition by lower(sku_code) order by waiting_rank, created_at, sku_key) as same_sku_code,
        row_number() over (partition by lower(sku_code) order by waiting_rank, created_at, sku_key) as same_sku_rank,
        case when is_marked_default then first_value(sku_code) over (
            partition by product_key, is_marked_default order by waiting_rank, created_at, sku_key
        ) end as marked_default_sku,
        case when is_marked_default then row_number() over (
            partition by product_key, is_marked_default order by waiting_rank, created_at, sku_key
        ) end as marked_default_rank
    from described
),

named as (
    select
        compared.*,
        case
            when option_text <> '' then product_name || ' – ' || option_text
            else product_name
        end as name
    from compared
),

judged as (
    select
        named.*,
        {{ sentences([
            "status_problem",
            "case when sku_code is null then 'it has no SKU' end",
            "sku_problems",
            "case when price_amount is null and coalesce(sku_problems, '') not like '%price \"%' then 'it has no price' end",
            "case when price_amount <= 0 then 'price is ' || " ~ plain_number('price_amount') ~ " end",
            "case when missing_options is not null then 'it has no value for ' || missing_options end",
            "case when same_options_rank > 1 and option_text <> ''
                then 'it has the same options (' || option_text || ') as SKU ' || coalesce(same_options_sku, '?') end",
            "case when same_options_rank > 1 and option_text = ''
                then 'no option sets it apart from SKU ' || coalesce(same_options_sku, '?') end",
            "case when sku_code is not null and same_sku_rank > 1 then case
                when same_sku_code = sku_code then 'SKU ' || sku_code || ' is in use already'
                else 'SKU differs only in case from ' || same_sku_code end end",
            "case when marked_default_rank > 1
                then 'it is marked as default, and so is SKU ' || coalesce(marked_default_sku, '?') end",
            "image_problem",
            "case when is_variant and length(name) > " ~ var('webflow_name_max_length')
                ~ " then 'name is ' || cast(length(name) as text) || ' characters long, Webflow takes "
                ~ var('webflow_name_max_length') ~ "' end",
        ]) }} as hold_reasons
    from named
),

ranked as (
    select
        judged.*,
        row_number() over (
            partition by product_key
            order by
                case when hold_reasons is null then 0 else 1 end,
                case when is_marked_default then 0 else 1 end,
                option_1_order nulls last, option_1_value nulls last,
                option_2_order nulls last, option_2_value nulls last,
                option_3_order nulls last, option_3_value nulls last,
                created_at, sku_code, sku_key
        ) as position
    from judged
)

select
    sku_key,
    product_key,
    connection,
    sku_code,
    name,
    is_variant,
    position = 1 as is_default,
    position,
    option_1_name,
    option_1_value,
    option_2_name,
    option_2_value,
    option_3_name,
    option_3_value,
    price_amount,
    compare_at_price_amount,
    stock_quantity,
    weight_grams,
    gtin,
    main_image_url,
    main_image_alt,
    gallery_product_key,
    hold_reasons,
    created_at,
    modified_at
from ranked
