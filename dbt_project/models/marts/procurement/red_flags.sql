{#
Deals worth a second look, one row per deal and reason. A flag is a question, not a verdict.
  repeat_pair    the same supplier took at least 5 deals and 60 % of this buyer's money in the category
  far_price      a unit price at least 30 % above the median of its product code and unit (of at least 5 items)
  single_step    an auction that ended after at most one 2 % step
  no_competition a direct purchase above the median direct purchase times ten
#}
with awards as (
    select * from {{ ref('deals') }}
    where is_award
),

norms as (
    select
        connection, product_group, lower(unit_name) as unit, currency, count(*) as item_count,
        {{ median('unit_price_amount') }} as median_price
    from {{ ref('deal_items') }}
    where is_award and not is_announced_price and unit_price_amount > 0 and product_group is not null
    group by connection, product_group, lower(unit_name), currency
),

far_prices as (
    select
        items.deal_key,
        max({{ ratio('items.unit_price_amount', 'norms.median_price') }}) as times_median
    from {{ ref('deal_items') }} as items
    inner join norms
        on
            items.connection = norms.connection and items.product_group = norms.product_group
            and lower(items.unit_name) is not distinct from norms.unit and items.currency = norms.currency
    where
        not items.is_announced_price and norms.item_count >= 5
        and items.unit_price_amount >= {{ product('norms.median_price', 1.3) }}
    group by items.deal_key
),

direct_norms as (
    select connection, currency, {{ median('deal_amount') }} as median_amount
    from awards
    where not is_competitive
    group by connection, currency
),

flags as (
    select awards.deal_key, 'repeat_pair' as flag, pairs.share_of_amount_percent as measure
    from awards
    inner join {{ ref('supplier_awards') }} as pairs
        on
            awards.buyer_key = pairs.buyer_key and awards.supplier_key = pairs.supplier_key
            and coalesce(awards.category_name, '?') = pairs.category_name and awards.currency = pairs.currency
    where pairs.deal_count >= 5 and pairs.share_of_amount_percent >= 60
    union all
    select deal_key, 'far_price' as flag, times_median as measure from far_prices
    union all
    select deal_key, 'single_step' as flag, cast(price_step_count as numeric(18, 4)) as measure from awards
    where module = 'auction' and price_step_count <= 1
    union all
    select awards.deal_key, 'no_competition' as flag, {{ ratio('awards.deal_amount', 'direct_norms.median_amount') }} as measure
    from awards
    inner join direct_norms on awards.connection = direct_norms.connection and awards.currency = direct_norms.currency
    where not awards.is_competitive and awards.deal_amount > {{ product('direct_norms.median_amount', 10) }}
)

select
    flags.deal_key || ':' || flags.flag as red_flag_key,
    flags.deal_key,
    awards.connection,
    flags.flag,
    cast(flags.measure as numeric(38, 4)) as measure,
    awards.module,
    awards.deal_date,
    awards.category_name,
    awards.buyer_key,
    awards.buyer_name,
    awards.supplier_key,
    awards.supplier_name,
    awards.deal_amount,
    awards.currency
from flags
inner join awards on flags.deal_key = awards.deal_key
