{# What active rules of one kind fired on lately. A sync sends each alert_key once; older events are history, not news. #}
{% macro recent_alerts(kind) %}
with events as (
    select * from {{ ref('alert_events') }}
    where kind = '{{ kind }}' and is_active and not is_first_look
),

horizon as (
    select max(happened_at) as newest_at from events
)

select
    events.alert_key,
    events.rule,
    events.happened_at,
    events.subject_key,
    events.title,
    events.fact,
    events.party_name,
    events.category_name,
    events.region_name,
    events.old_value,
    events.new_value,
    events.currency,
    events.url
from events
cross join horizon
where events.happened_at >= horizon.newest_at - interval '{{ var("alert_days") }} days'
{% endmacro %}
