with variants as (
    select * from {{ ref('product_variants') }}
),

readiness as (
    select product_key, hold_reasons from {{ ref('product_readiness') }}
    where state <> 'off'
),

slugs as (
    select entity_key, slug from {{ ref('slugs') }}
    where entity = 'sku'
),

{# The one site that the activation models speak to; without it (or its exponent) no price can be sent. #}
shop as (
    select sites.currency, currencies.exponent
    from (
        select min(default_currency) as currency from {{ ref('stg_webflow__sites') }}
        where connection = '{{ var("webflow_connection") }}' and not is_deleted
    ) as sites
    left join {{ ref('currencies') }} as currencies on sites.currency = currencies.currency
),

galleries as (
    select
        variants.sku_key,
        '[' || string_agg({{ json_string('images.image_url') }}, ',' order by images.position) || ']' as more_image_urls
    from variants
    inner join {{ ref('product_assets') }} as images on variants.gallery_product_key = images.product_key
    where
        images.role = 'gallery' and images.is_image and images.image_url is not null
        and images.image_url <> coalesce(variants.main_image_url, '')
    group by variants.sku_key
)

select
    variants.sku_key,
    variants.product_key,
    variants.is_default,
    variants.position,
    variants.name,
    slugs.slug,
    variants.sku_code,
    {{ to_minor_units('variants.price_amount', 'shop.exponent') }} as price_minor,
    {# A price that is not above the present one is no old price. #}
    case
        when variants.compare_at_price_amount > variants.price_amount
            then {{ to_minor_units('variants.compare_at_price_amount', 'shop.exponent') }}
    end as compare_at_price_minor,
    shop.currency,
    variants.main_image_url,
    variants.main_image_alt,
    coalesce(galleries.more_image_urls, '[]') as more_image_urls,
    '{' || concat_ws(
        ',',
        {% for slot in [1, 2, 3] -%}
        case
            when variants.option_{{ slot }}_value is not null
                then
                    {{ json_string('variants.option_' ~ slot ~ '_name') }} || ':'
                    || {{ json_string('variants.option_' ~ slot ~ '_value') }}
        end{{ ',' if not loop.last }}
        {% endfor -%}
    ) || '}' as sku_values,
    case when variants.stock_quantity < 0 then 0 else variants.stock_quantity end as stock_quantity,
    variants.weight_grams,
    variants.modified_at,
    {{ sentences([
        "case when variants.is_variant then 'the product is held back: ' || readiness.hold_reasons
            else readiness.hold_reasons end",
        "case when variants.is_variant then variants.hold_reasons end",
        "case when shop.currency is null then 'the currency of the shop is not known' end",
        "case when shop.currency is not null and shop.exponent is null
            then 'currency ' || shop.currency || ' is not in the seed currencies' end",
    ]) }} as hold_reasons
from variants
inner join readiness on variants.product_key = readiness.product_key
cross join shop
left join slugs on variants.sku_key = slugs.entity_key
left join galleries on variants.sku_key = galleries.sku_key
