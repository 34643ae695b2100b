{#
The same good at different sellers: Uzum's barcodes are internal to a SKU, so products are matched within their leaf
category by title, in one alphabet, words in any order, without words that say nothing:
  0.95  the same words                            (method same_words)
  0.60 to 0.90  the same model codes (words with a digit), share of common words × 0.9, at least two thirds (model_codes)
Options that contradict each other (no option text in common where both have some) take 0.2 off. The seed
product_matches has the last word: `same` makes 1.0, `different` forbids the pair. Pairs are shown once from each side.
#}
{% set filler = ['original', 'originalnyy', 'originalnaya', 'orig', 'new', 'novyy', 'novaya', 'yangi',
    'dlya', 'uchun', 'i', 'va', 's', 'bilan'] %}

with products as (
    select * from {{ ref('market_products') }}
    where not is_gone and title_words <> '' and lowest_price_amount is not null
),

words as (
    select distinct
        products.product_key,
        products.category_key,
        products.seller_key,
        word.part as word,
        regexp_replace(word.part, '[^0-9]', '', 'g') <> '' as has_digit
    from products
    cross join lateral {{ each_part('products.title_words', ' +', 'word') }}
    where word.part not in ('{{ filler | join("', '") }}', '')
),

prints as (
    select
        product_key,
        category_key,
        seller_key,
        string_agg(word, ' ' order by word) as all_words,
        string_agg(case when has_digit then word end, ' ' order by word) as model_codes,
        count(*) as word_count
    from words
    group by product_key, category_key, seller_key
),

{# A print that hundreds share is no identity. #}
usable as (
    select
        prints.*,
        count(*) over (partition by category_key, all_words) as same_count,
        count(*) over (partition by category_key, model_codes) as model_count
    from prints
),

same_words as (
    select
        mine.product_key,
        other.product_key as other_product_key,
        cast(0.95 as numeric(6, 4)) as confidence,
        'same_words' as method
    from usable as mine
    inner join usable as other
        on
            mine.category_key = other.category_key and mine.all_words = other.all_words
            and mine.product_key <> other.product_key and mine.seller_key <> other.seller_key
    where mine.same_count <= 200
),

{# The words of a pair are compared inside it: a join on words alone would meet every product that says `smartfon`. #}
candidates as (
    select
        mine.product_key,
        other.product_key as other_product_key,
        mine.all_words,
        ' ' || other.all_words || ' ' as other_words,
        mine.word_count + other.word_count as word_count
    from usable as mine
    inner join usable as other
        on
            mine.category_key = other.category_key and mine.model_codes = other.model_codes
            and mine.all_words <> other.all_words
            and mine.product_key <> other.product_key and mine.seller_key <> other.seller_key
    where mine.model_count <= 200
),

similar_words as (
    select
        candidates.product_key,
        candidates.other_product_key,
        cast(0.9 * count(*) / (candidates.word_count - count(*)) as numeric(6, 4)) as confidence,
        'model_codes' as method
    from candidates
    cross join lateral {{ each_part('candidates.all_words', ' ', 'word') }}
    where strpos(candidates.other_words, ' ' || word.part || ' ') > 0
    group by candidates.product_key, candidates.other_product_key, candidates.word_count
),

found as (
    select product_key, other_product_key, confidence, method from same_words
    union all
    select product_key, other_product_key, confidence, method from similar_words
    where confidence >= 0.6
),

option_texts as (
    select distinct skus.product_key, skus.option_text
    from {{ ref('market_skus') }} as skus
    where skus.is_listed and skus.option_text is not null and skus.product_key in (select found.product_key from found)
),

option_agreement as (
    select
        found.product_key,
        found.other_product_key,
        bool_or(mine.option_text = other.option_text) as has_common_option
    from found
    inner join option_texts as mine on found.product_key = mine.product_key
    inner join option_texts as other on found.other_product_key = other.product_key
    group by found.product_key, found.other_product_key
),

reviewed as (
    select product_key, other_product_key, verdict from {{ ref('product_matches') }}
    union
    select other_product_key as product_key, product_key as other_product_key, verdict from {{ ref('product_matches') }}
),

pairs as (
    select
        coalesce(found.product_key, reviewed.product_key) as product_key,
        coalesce(found.other_product_key, reviewed.other_product_key) as other_product_key,
        case
            when reviewed.verdict = 'same' then 1.0
            when option_agreement.has_common_option = false then found.confidence - 0.2
            else found.confidence
        end as confidence,
        case when reviewed.verdict is not null then 'review' else found.method end as method
    from found
    full outer join reviewed
        on found.product_key = reviewed.product_key and found.other_product_key = reviewed.other_product_key
    left join option_agreement
        on
            found.product_key = option_agreement.product_key
            and found.other_product_key = option_agreement.other_product_key
    where reviewed.verdict is null or reviewed.verdict = 'same'
)

select
    pairs.product_key || '=' || pairs.other_product_key as product_pair_key,
    pairs.product_key,
    pairs.other_product_key,
    mine.connection,
    mine.category_key,
    mine.title,
    other.title as other_title,
    mine.seller_key,
    other.seller_key as other_seller_key,
    mine.lowest_price_amount as price_amount,
    other.lowest_price_amount as other_price_amount,
    mine.currency,
    {{ money('other.lowest_price_amount - mine.lowest_price_amount') }} as difference_amount,
    {{ ratio('other.lowest_price_amount - mine.lowest_price_amount', 'mine.lowest_price_amount', 100) }} as difference_percent,
    mine.lowest_price_amount <= min(other.lowest_price_amount) over (partition by pairs.product_key) as is_cheapest,
    cast(pairs.confidence as numeric(6, 4)) as confidence,
    pairs.method
from pairs
inner join products as mine on pairs.product_key = mine.product_key
inner join products as other on pairs.other_product_key = other.product_key and mine.currency = other.currency
