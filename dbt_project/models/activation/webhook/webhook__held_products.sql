select
    product_key,
    sku,
    name,
    hold_reasons
from {{ ref('product_readiness') }}
where state = 'held' and hold_reasons is not null
