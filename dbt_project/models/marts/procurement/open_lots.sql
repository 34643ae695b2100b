{#
What one can still bid for, and what found no supplier: failed lots are leads. A lot is open until its deadline;
hours_left counts from the newest look at UZEX, not from the clock.
#}
{% set modules = ['auction_lots', 'shop_lots', 'etender_lots', 'etender_failed', 'competitions'] %}

with versions as (
    {% for module in modules %}
    select * from {{ ref('stg_uzex__' ~ module) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

lots as (
    select distinct on (versions.lot_key)
        versions.*,
        min(versions.landed_at) over (partition by versions.lot_key) as first_seen_at
    from versions
    order by versions.lot_key asc, versions.landed_at desc, versions.load_id desc
),

horizon as (
    select connection, max(landed_at) as as_of from versions
    group by connection
),

judged as (
    select
        lots.*,
        horizon.as_of,
        case
            when lots.module = 'etender_failed' then 'failed'
            when lots.is_deleted or lots.ends_at < horizon.as_of then 'closed'
            else 'open'
        end as state
    from lots
    inner join horizon on lots.connection = horizon.connection
)

select
    lot_key,
    connection,
    module,
    lot_id,
    display_no,
    state,
    subject,
    {{ plain_words("coalesce(subject, '') || ' ' || coalesce(category_name, '')") }} as search_words,
    {{ plain_words("coalesce(region_name, '') || ' ' || coalesce(district_name, '')") }} as region_words,
    first_seen_at,
    category_name,
    region_name,
    district_name,
    connection || ':' || {{ organisation_key('buyer_inn', 'buyer_name') }} as buyer_key,
    buyer_name,
    start_amount,
    currency,
    quantity,
    started_at,
    ends_at,
    {# Pages of the portals that take the lot's id (dossier §2.1; each seen to answer with the right lot). #}
    case module
        when 'auction' then 'https://xarid.uzex.uz/auction/detail/'
        when 'shop' then 'https://xarid.uzex.uz/shop/lot-details/'
        when 'competition' then 'https://new-xarid.uzex.uz/home/purchase/proposal-request/detail/'
        else 'https://etender.uzex.uz/lot/'
    end || cast(lot_id as text) as url,
    cast(extract(epoch from ends_at - as_of) / 3600 as numeric(12, 2)) as hours_left,
    landed_at as last_changed_at
from judged
where state <> 'closed'
