{#
What a status of UZEX says. They come in Russian and in Uzbek, in Latin and in Cyrillic, and change with the portal's
language, so beginnings of words are looked for in plain letters. What no list knows is unknown, and never an award.
#}

{# Whether one of its words begins so. The pattern takes in the whole text, as `~` of DuckDB wants it. #}
{% macro status_says(status, beginnings) -%}
    (' ' || {{ plain_words(status) }}) ~ '.* ({{ beginnings | join('|') }}).*'
{%- endmacro %}

{# A "not" before or at a word in Russian, inside it in Uzbek (toʻlanmagan, oshmadi). #}
{% macro status_denies(status) -%}
    (' ' || {{ plain_words(status) }} || ' ') ~ '.*( ne | ne(oplach|zaversh|ispoln|vypoln|podpis)|(magan|madi|maydi)| emas ).*'
{%- endmacro %}

{#
Whether a deal is an award (money was committed), called_off, pending or unknown. A source that lists concluded
deals alone says so by the list: there a deal without a status is an award (`silence`).
#}
{% macro deal_outcome(status, silence="'unknown'") -%}
    case
        when nullif({{ plain_words(status) }}, '') is null then {{ silence }}
        when {{ status_says(status, [
            'otmen', 'otklon', 'otkaz', 'otozv', 'rastor', 'ne sosto', 'nesosto', 'annul', 'nedeystv', 'prekrash', 'snyat',
            'ne zaklyuch', 'bekor', 'rad et', 'rad qil', 'amalga oshma', 'amalga oshirilma', 'tuzilma', 'imzolanma', 'toxtat',
        ]) }} then 'called_off'
        when {{ status_says(status, [
            'na soglas', 'na rassmot', 'rassmat', 'ojida', 'v proces', 'v obrab', 'nov', 'proekt', 'chernov', 'priem', 'priyom',
            'na registr', 'na podpis', 'yangi', 'kutil', 'kutish', 'jarayon', 'kelish', 'korib chiq', 'qoralama',
        ]) }} then 'pending'
        when {{ status_denies(status) }} then 'unknown'
        when {{ status_says(status, [
            'zaklyuch', 'oplach', 'postavl', 'dostavl', 'ispoln', 'vypoln', 'zaversh', 'soversh', 'sosto', 'zaregistr', 'podpis',
            'tuzil', 'imzolan', 'tolan', 'etkaz', 'bajar', 'yakunlan', 'tugalla', 'royxat', 'amalga osh', 'tasdiq', 'golib',
        ]) }} then 'award'
        else 'unknown'
    end
{%- endmacro %}

{# Whether a treasury status says that all the money went out; null when nothing is said. #}
{% macro is_paid(status) -%}
    case
        when {{ status }} is null then null
        when {{ status_denies(status) }} or {{ status_says(status, ['chastich', 'qisman']) }} then false
        else {{ status_says(status, ['oplach', 'tolan', 'tolov qilin']) }}
    end
{%- endmacro %}
