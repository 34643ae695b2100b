{# Start price against deal price per module, category and month; only deals that carry both. #}
with compared as (
    select
        deals.*,
        coalesce(category_name, '?') as category,
        cast(date_trunc('month', deal_date) as date) as deal_month
    from {{ ref('deals') }} as deals
    where is_award and saving_amount is not null and deal_date is not null
)

select
    connection || ':' || module || ':' || category || ':' || cast(deal_month as text) || ':' || currency as saving_key,
    connection,
    module,
    category as category_name,
    deal_month,
    count(*) as deal_count,
    {{ money('sum(start_amount)') }} as start_amount,
    {{ money('sum(deal_amount)') }} as deal_amount,
    {{ money('sum(saving_amount)') }} as saving_amount,
    currency,
    {{ ratio('sum(saving_amount)', 'sum(start_amount)', 100) }} as saving_percent,
    cast({{ median('saving_percent') }} as numeric(18, 4)) as median_saving_percent,
    cast(avg(price_step_count) as numeric(18, 4)) as average_price_steps,
    count(*) filter (where saving_amount = 0) as deals_without_saving
from compared
group by connection, module, category, deal_month, currency
