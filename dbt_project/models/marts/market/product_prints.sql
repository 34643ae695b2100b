{#
What price_comparison matches products by: the words of the title in one order, without words that say nothing, and
of them the model codes (words with a digit). Taking titles apart is dear, so it is done once for each change of a product.
A title of which nothing is left has a row too: it replaces the print that matched before.
#}
{{ config(materialized='incremental', unique_key='product_key', indexes=indexes(['product_key', 'built_at'])) }}

{% set filler = ['original', 'originalnyy', 'originalnaya', 'orig', 'new', 'novyy', 'novaya', 'yangi',
    'dlya', 'uchun', 'i', 'va', 's', 'bilan'] %}

with products as (
    select * from {{ ref('market_products') }} as products
    where {{ is_new_for('products') }}
),

words as (
    select distinct
        products.product_key,
        word.part as word,
        regexp_replace(word.part, '[^0-9]', '', 'g') <> '' as has_digit
    from products
    cross join lateral {{ each_part('products.title_words', ' +', 'word') }}
    where word.part not in ('{{ filler | join("', '") }}', '')
)

select
    products.product_key,
    products.category_key,
    products.seller_key,
    string_agg(words.word, ' ' order by words.word) as all_words,
    string_agg(case when words.has_digit then words.word end, ' ' order by words.word) as model_codes,
    count(words.word) as word_count,
    {{ current_moment() }} as built_at
from products
left join words on products.product_key = words.product_key
group by products.product_key, products.category_key, products.seller_key
