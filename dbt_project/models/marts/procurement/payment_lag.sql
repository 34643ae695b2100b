{#
How long the treasury takes to pay: from the deal to the first look that saw it paid. The true moment lies between the
last look that saw it unpaid and that one; a deal that was paid when first seen has only the upper bound.
#}
select
    deal_key,
    connection,
    module,
    buyer_key,
    buyer_name,
    deal_date,
    deal_amount,
    currency,
    is_paid,
    paid_seen_at,
    {{ days_between('paid_seen_at', 'deal_at') }} as days_to_payment_high,
    cast(case
        when paid_seen_at is not null and unpaid_seen_at < paid_seen_at
            then greatest({{ days_between('unpaid_seen_at', 'deal_at') }}, 0)
        when paid_seen_at is not null then 0
    end as numeric(12, 4)) as days_to_payment_low,
    cast(
        case when paid_seen_at is null then {{ days_between('greatest(unpaid_seen_at, first_seen_at)', 'deal_at') }} end
        as numeric(12, 4)
    ) as days_unpaid
from {{ ref('deals') }}
where is_award and payment_status is not null and deal_at is not null
