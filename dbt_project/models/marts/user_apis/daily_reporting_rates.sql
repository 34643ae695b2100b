with dated as (
    select
        currency,
        rate_date as valid_from,
        coalesce(lead(rate_date) over (partition by currency order by rate_date), date '9999-12-31') as valid_to,
        euro_rate
    from {{ ref('exchange_rates') }}
),

days as (
    select distinct user_id, metric_date, currency from {{ ref('source_revenue_daily') }}
),

wanted as (
    select days.*, coalesce(users.currency, 'EUR') as reporting_currency
    from days
    left join {{ ref('stg_user_apis__users') }} as users on days.user_id = users.user_id
)

select
    wanted.user_id || '/' || cast(wanted.metric_date as text) || '/' || wanted.currency as rate_key,
    wanted.user_id,
    wanted.metric_date,
    wanted.currency,
    wanted.reporting_currency,
    cast(
        case
            when wanted.currency = wanted.reporting_currency then 1
            else {{ ratio('theirs.euro_rate', 'ours.euro_rate', scale=12, digits=12) }}
        end as numeric(24, 12)
    ) as rate
from wanted
left join dated as theirs
    on
        wanted.currency = theirs.currency
        and wanted.metric_date >= theirs.valid_from and wanted.metric_date < theirs.valid_to
left join dated as ours
    on
        wanted.reporting_currency = ours.currency
        and wanted.metric_date >= ours.valid_from and wanted.metric_date < ours.valid_to
