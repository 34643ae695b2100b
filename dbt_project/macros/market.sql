{#
What the market and procurement models share. The business day is the calendar day in Tashkent (UTC+5, no
summer time).
#}

{# The Tashkent calendar day of a moment. #}
{% macro local_date(moment) -%}
    cast(({{ moment }}) at time zone 'Asia/Tashkent' as date)
{%- endmacro %}

{% macro whole(expression) -%}
    cast({{ expression }} as bigint)
{%- endmacro %}

{% macro days_between(later, earlier) -%}
    cast(extract(epoch from ({{ later }}) - ({{ earlier }})) / 86400 as numeric(12, 4))
{%- endmacro %}

{% macro median(expression) -%}
    percentile_cont(0.5) within group (order by {{ expression }})
{%- endmacro %}


{# The days from one date to another, both included: a table function with the column `day`. #}
{% macro each_day(first, last, alias) -%}
    {{ return(adapter.dispatch('each_day')(first, last, alias)) }}
{%- endmacro %}

{% macro duckdb__each_day(first, last, alias) -%}
    (select cast(unnest(generate_series({{ first }}, {{ last }}, interval '1 day')) as date)) as {{ alias }} (day)
{%- endmacro %}

{% macro postgres__each_day(first, last, alias) -%}
    (select cast(d as date) from generate_series({{ first }}, {{ last }}, interval '1 day') as s (d)) as {{ alias }} (day)
{%- endmacro %}


{# The whole numbers from one to another, both included: a table function with the column `number`. #}
{% macro each_number(first, last, alias) -%}
    {{ return(adapter.dispatch('each_number')(first, last, alias)) }}
{%- endmacro %}

{% macro duckdb__each_number(first, last, alias) -%}
    (select unnest(generate_series({{ first }}, {{ last }}))) as {{ alias }} (number)
{%- endmacro %}

{% macro postgres__each_number(first, last, alias) -%}
    generate_series({{ first }}, {{ last }}) as {{ alias }} (number)
{%- endmacro %}


{# The parts of a text between separators (a regular expression): a table function with the column `part`. #}
{% macro each_part(text, separator, alias) -%}
    {{ return(adapter.dispatch('each_part')(text, separator, alias)) }}
{%- endmacro %}

{% macro duckdb__each_part(text, separator, alias) -%}
    (select unnest(string_split_regex({{ text }}, '{{ separator }}'))) as {{ alias }} (part)
{%- endmacro %}

{% macro postgres__each_part(text, separator, alias) -%}
    regexp_split_to_table({{ text }}, '{{ separator }}') as {{ alias }} (part)
{%- endmacro %}


{# An element of a JSON array by its position from 0; null when the position is out of range, negative or null. #}
{% macro json_at(json, position) -%}
    {{ return(adapter.dispatch('json_at')(json, position)) }}
{%- endmacro %}

{% macro duckdb__json_at(json, position) -%}
    case when {{ position }} >= 0 then json_extract({{ json }}, {{ position }}) end
{%- endmacro %}

{% macro postgres__json_at(json, position) -%}
    case when {{ position }} >= 0 then {{ json }} -> cast({{ position }} as integer) end
{%- endmacro %}


{# A text as JSON when it is JSON (documents carry JSON inside strings), else null. #}
{% macro try_json(expression) -%}
    {{ return(adapter.dispatch('try_json')(expression)) }}
{%- endmacro %}

{% macro duckdb__try_json(expression) -%}
    try_cast({{ expression }} as json)
{%- endmacro %}

{% macro postgres__try_json(expression) -%}
    case when pg_input_is_valid({{ expression }}, 'jsonb') then cast({{ expression }} as jsonb) end
{%- endmacro %}


{#
ISO 4217 code for the spellings UZEX uses (dossier §2.4); nothing said means the sum. Open auctions give a number of
UZEX's own: 1 is the sum, as the rows of the e-tender say that give both. Another number or word stays as it is and is
told by a test: amounts in it are compared with nothing.
#}
{% macro currency_code(expression) -%}
    case
        when nullif(trim({{ expression }}), '') is null then 'UZS'
        when {{ plain_words(expression) }} in (
            'som', 'sum', 'uzs', '860', '1', 'ozbek somi', 'ozbekiston somi', 'uzbekskiy sum', 'uzbekskiy som'
        ) then 'UZS'
        when {{ plain_words(expression) }} in ('usd', '840', 'dollar', 'dollari', 'dollar ssha', 'aqsh dollari') then 'USD'
        when {{ plain_words(expression) }} in ('eur', '978', 'evro', 'euro') then 'EUR'
        when {{ plain_words(expression) }} in ('rub', 'rur', '643', 'rubl', 'rossiyskiy rubl', 'rossiya rubli') then 'RUB'
        else upper(trim({{ expression }}))
    end
{%- endmacro %}


{#
Who a supplier or buyer is: the tax number (INN) when there is one; individuals have none and are known by
their transliterated name alone, which is marked (`name:`), because two people may share it.
#}
{% macro organisation_key(inn, name) -%}
    coalesce('inn:' || nullif(regexp_replace({{ inn }}, '[^0-9]', '', 'g'), ''), 'name:' || nullif({{ plain_words(name) }}, ''))
{%- endmacro %}

{#
A text for comparing and searching: one alphabet, lower case, letters and digits, single spaces. Uzbek in Latin and in
Cyrillic and Russian letters fall together: х is x (not kh), ж is j (not zh), ye is e.
#}
{% macro plain_words(expression) -%}
    trim(replace(replace(replace(
        regexp_replace({{ transliterate(expression) }}, '[^a-z0-9]+', ' ', 'g'), 'kh', 'x'
    ), 'zh', 'j'), 'ye', 'e'))
{%- endmacro %}


{# How many elements a JSON array has. #}
{% macro json_length(json) -%}
    {{ return(adapter.dispatch('json_length')(json)) }}
{%- endmacro %}

{% macro duckdb__json_length(json) -%}
    json_array_length({{ json }})
{%- endmacro %}

{% macro postgres__json_length(json) -%}
    jsonb_array_length({{ json }})
{%- endmacro %}


{#
The days that an incremental model of daily sales makes anew: those of new facts, and, when a visit was loaded late
(after visits of later days), the month before it, whose spread windows it may have shortened.
#}
{% macro touched_sales_dates() %}
    {% set all_visits = ref('crawl_visits') %}
    select distinct facts.sales_date from {{ ref('product_sales_days') }} as facts
    where {{ is_new_for('facts') }}
    {% if is_incremental() %}
    union
    select distinct facts.sales_date from {{ ref('product_sales_days') }} as facts
    inner join (
        select distinct visits.visit_date from {{ all_visits }} as visits
        where {{ is_new_for('visits') }} and visits.visit_date < (select max(newest.stats_date) from {{ this }} as newest)
    ) as late on facts.sales_date between late.visit_date - 31 and late.visit_date
    {% endif %}
{% endmacro %}


{#
What product_daily_sales shows, of all products or of those whose `product_id` the relation `of_products` holds: a
condition on the view would be asked only after all products had been computed.
#}
{% macro daily_sales(of_products=none) %}
with products as (
    select
        product_key,
        connection,
        product_id,
        currency,
        gone_at,
        {{ local_date('first_seen_at') }} as first_date
    from {{ ref('market_products') }}
    {% if of_products %}
    where product_id in (select chosen.product_id from {{ of_products }} as chosen)
    {% endif %}
),

visit_days as (
    select connection, id_block, first_id, last_id, visit_date, min(observed_at) as observed_at
    from {{ ref('crawl_visits') }}
    group by connection, id_block, first_id, last_id, visit_date
),

seen_days as (
    select products.product_key, visit_days.visit_date as seen_date
    from products
    inner join visit_days
        on
            products.connection = visit_days.connection
            and cast(floor(products.product_id / 1000.0) as bigint) = visit_days.id_block
            and products.product_id between visit_days.first_id and visit_days.last_id
            and (products.gone_at is null or products.gone_at > visit_days.observed_at)
    union
    select product_key, to_date as seen_date
    from {{ ref('sales_windows') }}
    {% if of_products %}
    where product_key in (select products.product_key from products)
    {% endif %}
),

last_days as (
    select product_key, max(seen_date) as last_date
    from seen_days
    group by product_key
),

{# Of all products: a product that is looked at no more is unknown on the days on which others are. #}
horizon as (
    select looks.connection, max(looks.day) as last_date
    from (
        select connection, visit_date as day from visit_days
        union all
        select connection, to_date as day from {{ ref('sales_windows') }}
    ) as looks
    group by looks.connection
),

calendar as (
    select
        products.product_key,
        products.connection,
        products.product_id,
        products.currency,
        products.first_date,
        last_days.last_date,
        dates.day as sales_date
    from products
    inner join last_days on products.product_key = last_days.product_key
    inner join horizon on products.connection = horizon.connection
    cross join lateral {{ each_day('products.first_date', 'horizon.last_date', 'dates') }}
),

facts as (
    select
        product_key as sold_product_key,
        sales_date as sold_date,
        sum(units_sold) as units_sold,
        sum(units_low) as units_low,
        case when bool_or(units_high is null) then null else sum(units_high) end as units_high,
        sum(orders_units) as orders_units,
        sum(stock_units) as stock_units,
        case when bool_or(stock_units_high is null) then null else sum(stock_units_high) end as stock_units_high,
        sum(restocked_units) as restocked_units,
        bool_or(is_capped) as is_capped,
        bool_or(is_counter_reset) as is_counter_reset,
        bool_or(is_spread and window_units > 0) as is_spread,
        bool_or(window_units is null) as is_unknown,
        bool_or(method = 'stock') as is_from_stock,
        sum(revenue_amount) as revenue_amount,
        bool_or(window_units > 0 and window_revenue_amount is null) as is_unpriced,
        sum(revenue_low_amount) as revenue_low_amount,
        case when bool_or(revenue_high_amount is null) then null else sum(revenue_high_amount) end as revenue_high_amount
    from {{ ref('product_sales_days') }}
    {% if of_products %}
    where product_key in (select products.product_key from products)
    {% endif %}
    group by product_key, sales_date
),

judged as (
    select
        calendar.product_key,
        calendar.connection,
        calendar.product_id,
        calendar.sales_date,
        calendar.currency,
        facts.*,
        seen_days.seen_date is not null as is_observed,
        case
            when calendar.sales_date > calendar.last_date or facts.is_unknown then 'unknown'
            when facts.is_spread then 'spread'
            when calendar.sales_date = calendar.first_date and facts.sold_date is null then 'first_sight'
            else 'known'
        end as state
    from calendar
    left join facts on calendar.product_key = facts.sold_product_key and calendar.sales_date = facts.sold_date
    left join seen_days on calendar.product_key = seen_days.product_key and calendar.sales_date = seen_days.seen_date
)

select
    product_key || ':' || cast(sales_date as text) as product_day_key,
    product_key,
    connection,
    product_id,
    sales_date,
    state,
    case
        when state in ('unknown', 'first_sight') then 'none'
        when is_from_stock then 'stock'
        when sold_date is null then 'counter_stood_still'
        else 'orders'
    end as method,
    is_observed,
    {{ whole("case when state = 'known' then coalesce(units_sold, 0) end") }} as units_sold,
    {{ whole("case when state = 'first_sight' then null else coalesce(units_low, 0) end") }} as units_low,
    {{ whole("case when state = 'known' and sold_date is null then 0 when state in ('known', 'spread') then units_high end") }}
        as units_high,
    {{ whole("case when state = 'known' and sold_date is null then 0 when state = 'known' then orders_units end") }}
        as orders_units,
    {{ whole("case when state = 'known' and sold_date is null then 0 when state = 'known' then stock_units end") }}
        as stock_units,
    {{ whole("case when state = 'known' then coalesce(stock_units_high, case when sold_date is null then 0 end) end") }}
        as stock_units_high,
    {{ whole("case when state = 'known' then coalesce(restocked_units, 0) end") }} as restocked_units,
    coalesce(is_capped, false) as is_capped,
    coalesce(is_counter_reset, false) as is_counter_reset,
    {{ money("case when state = 'known' and not coalesce(is_unpriced, false) then coalesce(revenue_amount, 0) end") }}
        as revenue_amount,
    {{ money("case when state = 'first_sight' then null else coalesce(revenue_low_amount, 0) end") }} as revenue_low_amount,
    {{ money("case when state = 'known' and sold_date is null then 0 when state <> 'unknown' then revenue_high_amount end") }}
        as revenue_high_amount,
    currency
from judged
{% endmacro %}


{# How many options of a product are meant, where it has more than one: "102 of 102", else nothing. #}
{% macro of_options(some, all, then) -%}
    case when {{ all }} > 1 then cast({{ some }} as text) || ' of ' || cast({{ all }} as text) || '{{ then }}' else '' end
{%- endmacro %}

{# One number for people, or the lowest and the highest: "79,990" or "79,990 to 89,990". #}
{% macro number_range(lowest, highest) -%}
    {{ grouped_number(lowest) }} || case when {{ lowest }} <> {{ highest }} then ' to ' || {{ grouped_number(highest) }} else '' end
{%- endmacro %}
