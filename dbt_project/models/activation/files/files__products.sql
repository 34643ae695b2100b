select
    skus.sku_key,
    skus.sku_code,
    skus.name,
    products.brand,
    products.family_name,
    skus.option_1_value,
    skus.option_2_value,
    skus.option_3_value,
    skus.price_amount,
    skus.compare_at_price_amount,
    skus.stock_quantity,
    skus.main_image_url,
    readiness.state,
    skus.hold_reasons as sku_hold_reasons,
    readiness.hold_reasons as product_hold_reasons
from {{ ref('product_variants') }} as skus
inner join {{ ref('products') }} as products on skus.product_key = products.product_key
inner join {{ ref('product_readiness') }} as readiness on skus.product_key = readiness.product_key
