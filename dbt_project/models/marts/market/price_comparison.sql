{#
The same good at different sellers: Uzum's barcodes are internal to a SKU, so products are matched within their leaf
category by title, in one alphabet, words in any order, without words that say nothing:
  0.95  the same words                            (method same_words)
  0.60 to 0.90  the same model codes (words with a digit), share of common words × 0.9, at least two thirds (model_codes)
Options that contradict each other (no option text in common where both have some) take 0.2 off. The seed
product_matches has the last word: `same` makes 1.0, `different` forbids the pair. Pairs are shown once from each side.
#}
with products as (
    select * from {{ ref('market_products') }}
    where not is_gone and title_words <> '' and lowest_price_amount is not null
),

prints as (
    select prints.* from {{ ref('product_prints') }} as prints
    inner join products on prints.product_key = products.product_key
),

{# A print that hundreds share is no identity, and one seller alone has nothing to compare. #}
shared_words as (
    select category_key, all_words from prints
    group by category_key, all_words
    having count(*) <= 200 and min(seller_key) <> max(seller_key)
),

shared_codes as (
    select category_key, model_codes from prints
    group by category_key, model_codes
    having count(*) <= 200 and min(seller_key) <> max(seller_key) and min(all_words) <> max(all_words)
),

same_words as (
    select
        mine.product_key,
        other.product_key as other_product_key,
        cast(0.95 as numeric(6, 4)) as confidence,
        'same_words' as method
    from shared_words as shared
    inner join prints as mine on shared.category_key = mine.category_key and shared.all_words = mine.all_words
    inner join prints as other on shared.category_key = other.category_key and shared.all_words = other.all_words
    where mine.product_key <> other.product_key and mine.seller_key <> other.seller_key
),

{# The words of a pair are compared inside it: a join on words alone would meet every product that says `smartfon`. #}
candidates as (
    select
        mine.product_key,
        other.product_key as other_product_key,
        mine.all_words,
        ' ' || other.all_words || ' ' as other_words,
        mine.word_count + other.word_count as word_count
    from shared_codes as shared
    inner join prints as mine on shared.category_key = mine.category_key and shared.model_codes = mine.model_codes
    inner join prints as other on shared.category_key = other.category_key and shared.model_codes = other.model_codes
    where
        mine.all_words <> other.all_words
        and mine.product_key <> other.product_key and mine.seller_key <> other.seller_key
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
    mine.is_in_stock,
    other.is_in_stock as is_other_in_stock,
    mine.currency,
    {{ money('other.lowest_price_amount - mine.lowest_price_amount') }} as difference_amount,
    {{ ratio('other.lowest_price_amount - mine.lowest_price_amount', 'mine.lowest_price_amount', 100) }} as difference_percent,
    mine.is_in_stock
    and coalesce(
        mine.lowest_price_amount
        <= min(case when other.is_in_stock then other.lowest_price_amount end) over (partition by pairs.product_key),
        true
    ) as is_cheapest,
    cast(pairs.confidence as numeric(6, 4)) as confidence,
    pairs.method
from pairs
inner join products as mine on pairs.product_key = mine.product_key
inner join products as other on pairs.other_product_key = other.product_key and mine.currency = other.currency
