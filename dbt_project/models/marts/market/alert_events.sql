{#
What each rule of the seed alert_rules fires on, over the whole stored history, rules that are switched off included:
the alerts take the recent ones of active rules, `karvon rehearse RULE` shows all of one rule. The key tells the same
event for ever, so it is sent once. What the first load of a list of
lots brings is marked (is_first_look) and never sent. Texts of rules are compared in one alphabet; `|` separates alternatives.
A table, because five models and tests read it and each reading of a view would look through the history again.
#}
with rules as (
    select
        alert_rules.*,
        {{ plain_words("replace(coalesce(alert_rules.category, ''), '|', ' qqq ')") }} as category_words,
        {{ plain_words("replace(coalesce(alert_rules.region, ''), '|', ' qqq ')") }} as region_words,
        {{ plain_words("replace(coalesce(alert_rules.seller, ''), '|', ' qqq ')") }} as seller_words,
        {{ plain_words("replace(coalesce(alert_rules.product, ''), '|', ' qqq ')") }} as product_words,
        {{ plain_words("replace(coalesce(alert_rules.keyword, ''), '|', ' qqq ')") }} as keyword_words
    from {{ ref('alert_rules') }} as alert_rules
),

{# One row per wanted text; a rule without one wants all. #}
{% for scope in ['category', 'region', 'seller', 'product', 'keyword'] -%}
{{ scope }}_wishes as (
    select rules.rule, trim(wish.part) as wish
    from rules
    cross join lateral {{ each_part('rules.' ~ scope ~ '_words', ' *qqq *', 'wish') }}
),

{% endfor -%}
category_words as (
    select category_key, {{ plain_words('path') }} as words from {{ ref('market_categories') }}
),

seller_words as (
    select seller_key, name, link, seller_id, {{ plain_words('name') }} as words from {{ ref('market_sellers') }}
),

matched_changes as (
    select
        rules.rule,
        rules.condition,
        changes.*
    from {{ ref('price_changes') }} as changes
    inner join rules
        on
            rules.kind = 'price'
            and (
                (rules.condition = 'falls_percent' and changes.change_percent <= -rules.threshold)
                or (rules.condition = 'rises_percent' and changes.change_percent >= rules.threshold)
                or (
                    rules.condition = 'price_below' and changes.price_amount < rules.threshold
                    and changes.old_price_amount >= rules.threshold
                )
                or (
                    rules.condition = 'discount_above' and changes.discount_percent >= rules.threshold
                    and coalesce(changes.old_discount_percent, 0) < rules.threshold
                )
                or (rules.condition = 'raised_before_sale' and changes.is_raised_before_sale)
            )
),

{# A product is one event, however many of its options changed at one look. #}
changed_products as (
    select
        rule,
        condition,
        product_key,
        changed_at,
        currency,
        count(*) as changed_options,
        min(old_price_amount) as old_lowest,
        max(old_price_amount) as old_highest,
        min(price_amount) as new_lowest,
        max(price_amount) as new_highest,
        min(change_percent) as change_low,
        max(change_percent) as change_high,
        max(true_saving_percent) as true_saving_percent
    from matched_changes
    group by rule, condition, product_key, changed_at, currency
),

offered_options as (
    select
        looks.product_key,
        looks.changed_at,
        count(*) as option_count
    from (select distinct product_key, changed_at from changed_products) as looks
    inner join {{ ref('price_history') }} as prices
        on
            looks.product_key = prices.product_key
            and looks.changed_at >= prices.real_from
            and (prices.valid_to is null or looks.changed_at < prices.valid_to)
    group by looks.product_key, looks.changed_at
),

price_events as (
    select
        changed.rule,
        changed.product_key,
        changed.product_key || ':' || {{ utc_text('changed.changed_at') }} as event_key,
        changed.changed_at as happened_at,
        changed.old_lowest as old_value,
        changed.new_lowest as new_value,
        changed.currency,
        {{ of_options('changed.changed_options', 'offered.option_count', ', ') }}
        || case changed.condition
            when 'raised_before_sale'
                then
                    'the list price had risen before; the discount saves '
                    || {{ plain_number('round(changed.true_saving_percent, 1)') }} || ' %'
            else
                {{ number_range('changed.old_lowest', 'changed.old_highest') }} || ' → '
                || {{ number_range('changed.new_lowest', 'changed.new_highest') }} || ' ' || changed.currency
                || ' (' || {{ number_range('round(changed.change_low, 1)', 'round(changed.change_high, 1)') }} || ' %)'
        end as fact
    from changed_products as changed
    inner join offered_options as offered
        on changed.product_key = offered.product_key and changed.changed_at = offered.changed_at
),

{# Of the stretches without stock, the two moments that say something: SKUs that sold are out, and SKUs are back. #}
stock_moments as (
    select product_key, currency, daily_units, days_out, lost_revenue_amount, 'out' as moment, began_at as happened_at
    from {{ ref('stock_outs') }}
    where daily_units > 0
    union all
    select product_key, currency, daily_units, days_out, lost_revenue_amount, 'back' as moment, ended_at as happened_at
    from {{ ref('stock_outs') }}
    where ended_at is not null
),

stock_steps as (
    select
        product_key,
        currency,
        moment,
        happened_at,
        count(*) as step_options,
        sum(daily_units) as daily_units,
        sum(lost_revenue_amount) as lost_revenue_amount,
        max(days_out) as days_out
    from stock_moments
    group by product_key, currency, moment, happened_at
),

product_options as (
    select product_key, count(*) as option_count from {{ ref('market_skus') }}
    where is_listed
    group by product_key
),

stock_events as (
    select
        rules.rule,
        steps.product_key,
        steps.product_key || ':' || rules.condition || ':' || {{ utc_text('steps.happened_at') }} as event_key,
        steps.happened_at,
        cast(null as numeric(18, 2)) as old_value,
        steps.lost_revenue_amount as new_value,
        steps.currency,
        {{ of_options('steps.step_options', 'greatest(coalesce(options.option_count, 0), steps.step_options)', ' ') }}
        || case rules.condition
            when 'back_in_stock' then 'in stock again after ' || {{ plain_number('round(steps.days_out, 1)') }} || ' days'
            else 'out of stock; it sold ' || {{ plain_number('round(steps.daily_units, 2)') }} || ' a day'
        end as fact
    from stock_steps as steps
    inner join rules
        on
            rules.kind = 'stock'
            and (
                (rules.condition = 'out_of_stock' and steps.moment = 'out')
                or (rules.condition = 'back_in_stock' and steps.moment = 'back')
                or (
                    rules.condition = 'lost_revenue_above' and steps.moment = 'out'
                    and steps.lost_revenue_amount > rules.threshold
                )
            )
    left join product_options as options on steps.product_key = options.product_key
    union all
    select
        rules.rule,
        rollups.product_key,
        rollups.product_key || ':' || cast(rollups.as_of_date as text) as event_key,
        cast(rollups.as_of_date as timestamp) at time zone 'Asia/Tashkent' as happened_at,
        cast(null as numeric(18, 2)) as old_value,
        rollups.days_of_stock as new_value,
        rollups.currency,
        'stock for ' || {{ plain_number('round(rollups.days_of_stock, 1)') }} || ' days' as fact
    from {{ ref('product_rollups') }} as rollups
    inner join rules
        on
            rules.kind = 'stock' and rules.condition = 'days_of_stock_below'
            and rollups.days_of_stock < rules.threshold and rollups.available_quantity > 0
),

{# A seller is new when all that it sells is; else the crawl has only now come to it. #}
known_sellers as (
    select distinct products.seller_key
    from {{ ref('market_products') }} as products
    left join {{ ref('new_products') }} as new_products on products.product_key = new_products.product_key
    where products.seller_key is not null and not coalesce(new_products.is_proven_new, false)
),

weeks as (
    select
        seller_key,
        connection,
        cast(date_trunc('week', stats_date) as date) as week,
        max(stats_date) as last_date,
        rank() over (
            partition by connection, cast(date_trunc('week', stats_date) as date) order by sum(revenue_amount) desc
        ) as position
    from {{ ref('seller_daily_stats') }}
    group by seller_key, connection, cast(date_trunc('week', stats_date) as date)
),

climbs as (
    select
        weeks.*,
        before.position as old_position
    from weeks
    inner join weeks as before on weeks.seller_key = before.seller_key and weeks.week = before.week + 7
),

seller_events as (
    select
        rules.rule,
        sellers.seller_key,
        cast(null as text) as product_key,
        'new:' || sellers.seller_key as event_key,
        sellers.first_seen_at as happened_at,
        cast(null as numeric(18, 2)) as old_value,
        cast(sellers.orders_count as numeric(18, 2)) as new_value,
        'a new seller' as fact
    from {{ ref('market_sellers') }} as sellers
    inner join rules
        on rules.kind = 'seller' and rules.condition = 'new_seller'
    left join known_sellers on sellers.seller_key = known_sellers.seller_key
    where known_sellers.seller_key is null
    union all
    select
        rules.rule,
        climbs.seller_key,
        cast(null as text) as product_key,
        'climb:' || climbs.seller_key || ':' || cast(climbs.week as text) as event_key,
        cast(climbs.last_date as timestamp) at time zone 'Asia/Tashkent' as happened_at,
        cast(climbs.old_position as numeric(18, 2)) as old_value,
        cast(climbs.position as numeric(18, 2)) as new_value,
        'from place ' || cast(climbs.old_position as text) || ' to ' || cast(climbs.position as text)
        || ' by weekly revenue' as fact
    from climbs
    inner join rules
        on
            rules.kind = 'seller' and rules.condition = 'climbs_places'
            and climbs.old_position - climbs.position >= rules.threshold
    union all
    select
        rules.rule,
        products.seller_key,
        products.product_key,
        'product:' || products.product_key as event_key,
        products.first_seen_at as happened_at,
        cast(null as numeric(18, 2)) as old_value,
        products.lowest_price_amount as new_value,
        'a new product' as fact
    from {{ ref('new_products') }} as products
    inner join rules on rules.kind = 'seller' and rules.condition = 'new_product'
    where products.is_proven_new
),

{# What the first load of a list brings may have stood there for long. #}
looks_at_lots as (
    {% for module in ['auction_lots', 'shop_lots', 'etender_lots', 'etender_failed', 'competitions'] %}
    select connection, module, min(landed_at) as first_at, max(landed_at) as last_at from {{ ref('stg_uzex__' ~ module) }}
    group by connection, module
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

lot_events as (
    select
        rules.rule,
        lots.lot_key,
        lots.lot_key || ':' || rules.condition as event_key,
        case rules.condition
            when 'ends_within_hours'
                then greatest(lots.first_seen_at, lots.ends_at - cast(rules.threshold as double precision) * interval '1 hour')
            else lots.first_seen_at
        end as happened_at,
        lots.subject,
        lots.category_name,
        lots.region_name,
        lots.buyer_name,
        lots.start_amount,
        lots.currency,
        lots.ends_at,
        lots.search_words,
        lots.region_words,
        lots.state,
        lots.url,
        case
            when rules.condition = 'ends_within_hours' then looks.last_at = looks.first_at
            else lots.first_seen_at = looks.first_at
        end as is_first_look
    from {{ ref('open_lots') }} as lots
    inner join looks_at_lots as looks on lots.connection = looks.connection and lots.module = looks.module
    inner join rules
        on
            rules.kind = 'lot'
            and (
                (rules.condition = 'new_lot' and lots.state = 'open')
                or (rules.condition = 'failed_lot' and lots.state = 'failed')
                or (
                    rules.condition = 'start_amount_above' and lots.state = 'open'
                    and lots.start_amount > rules.threshold and lots.currency = 'UZS'
                )
                or (
                    rules.condition = 'ends_within_hours' and lots.state = 'open'
                    and lots.hours_left between 0 and rules.threshold
                )
            )
),

goods_events as (
    select rule, 'price' as kind, product_key, event_key, happened_at, old_value, new_value, currency, fact from price_events
    union all
    select rule, 'stock' as kind, product_key, event_key, happened_at, old_value, new_value, currency, fact from stock_events
),

found as (
    select
        events.rule,
        events.kind,
        events.event_key,
        events.product_key as subject_key,
        events.happened_at,
        products.title,
        events.fact,
        sellers.name as party_name,
        categories.path as category_name,
        cast(null as text) as region_name,
        events.old_value,
        events.new_value,
        events.currency,
        'https://uzum.uz/product/' || cast(products.product_id as text) as url,
        false as is_first_look,
        coalesce(category_words.words, '') as category_words,
        '' as region_words,
        coalesce(sellers.words, '') as seller_words,
        products.title_words,
        products.title_words || ' ' || coalesce(category_words.words, '') as search_words
    from goods_events as events
    inner join {{ ref('market_products') }} as products on events.product_key = products.product_key
    left join {{ ref('market_categories') }} as categories on products.category_key = categories.category_key
    left join category_words on products.category_key = category_words.category_key
    left join seller_words as sellers on products.seller_key = sellers.seller_key
    union all
    select
        events.rule,
        'seller' as kind,
        events.event_key,
        events.seller_key as subject_key,
        events.happened_at,
        coalesce(products.title, sellers.name) as title,
        events.fact,
        sellers.name as party_name,
        cast(null as text) as category_name,
        cast(null as text) as region_name,
        events.old_value,
        events.new_value,
        'UZS' as currency,
        'https://uzum.uz/shop/' || sellers.link as url,
        false as is_first_look,
        coalesce(category_words.words, '') as category_words,
        '' as region_words,
        coalesce(sellers.words, '') as seller_words,
        coalesce(products.title_words, '') as title_words,
        coalesce(sellers.words, '') || ' ' || coalesce(products.title_words, '') as search_words
    from seller_events as events
    left join seller_words as sellers on events.seller_key = sellers.seller_key
    left join {{ ref('market_products') }} as products on events.product_key = products.product_key
    left join category_words on products.category_key = category_words.category_key
    union all
    select
        rule,
        'lot' as kind,
        event_key,
        lot_key as subject_key,
        happened_at,
        subject as title,
        case state when 'failed' then 'found no supplier' else 'open' end
        || coalesce(', start price ' || {{ grouped_number('start_amount') }} || ' ' || currency, '') as fact,
        buyer_name as party_name,
        category_name,
        region_name,
        cast(null as numeric(18, 2)) as old_value,
        start_amount as new_value,
        currency,
        url,
        is_first_look,
        search_words as category_words,
        region_words,
        {{ plain_words("coalesce(buyer_name, '')") }} as seller_words,
        search_words as title_words,
        search_words
    from lot_events
)

select
    found.rule || ':' || found.event_key as alert_key,
    found.rule,
    found.kind,
    rules.is_active,
    found.happened_at,
    found.subject_key,
    found.title,
    found.fact,
    found.party_name,
    found.category_name,
    found.region_name,
    {{ money('found.old_value') }} as old_value,
    {{ money('found.new_value') }} as new_value,
    found.currency,
    found.url,
    found.is_first_look
from found
inner join rules on found.rule = rules.rule
where
    {% for scope, words in [
        ('category', 'category_words'), ('region', 'region_words'), ('seller', 'seller_words'),
        ('product', 'title_words'), ('keyword', 'search_words'),
    ] %}
    exists (
        select 1 from {{ scope }}_wishes as wishes
        where wishes.rule = found.rule and ' ' || found.{{ words }} like '% ' || wishes.wish || '%'
    )
    {% if not loop.last %}and{% endif %}
{% endfor %}
