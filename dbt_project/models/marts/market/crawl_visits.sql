{#
Which ids were looked at when, changed or not: whole slices of the crawl, and the single ids of a revisit as ranges
of one. A product finds its visits by its block of 1,000 ids.
#}
{{ config(materialized='view') }}

select visit_key, connection, id_block, first_id, last_id, observed_at, visit_date, built_at from {{ ref('stg_uzum__visits') }}
union all
select visit_key, connection, id_block, first_id, last_id, observed_at, visit_date, built_at from {{ ref('stg_uzum__revisits') }}
