{#
Latin letters for a text in any Latin or Cyrillic alphabet (Russian, Ukrainian, Serbian, Uzbek, Kazakh;
German, French, Turkish, Polish, Czech, Nordic …). Both cases are mapped here, because lower() on
Postgres depends on the database's locale. Accents are dropped: ö is o for a Turk and oe for a German.
#}
{% macro transliterate(expression) -%}
    {#- Letters that become several: what follows the first is put behind them here, the first comes below. -#}
    {%- set endings = [
        ('жхчшþЖХЧШÞ', 'h'), ('щЩ', 'hch'), ('цßЦẞ', 's'), ('юЮ', 'u'), ('яЯ', 'a'), ('ёЁ', 'o'), ('єЄæÆœŒ', 'e'),
        ('їЇ', 'i'), ('ђЂљЉњЊѓЃќЌ', 'j'), ('џЏѕЅ', 'z'),
    ] -%}
    {%- set single = [
        ('жхчшщцюяёєїђљњѓќџѕ', 'zkcsstyyyyydlngkdd'), ('ЖХЧШЩЦЮЯЁЄЇЂЉЊЃЌЏЅ', 'zkcsstyyyyydlngkdd'),
        ('þßæœ', 'tsao'), ('ÞẞÆŒ', 'tsao'),
        ('абвгдезийклмнопрстуфыэ', 'abvgdeziyklmnoprstufye'), ('АБВГДЕЗИЙКЛМНОПРСТУФЫЭ', 'abvgdeziyklmnoprstufye'),
        ('іґўғқҳјћ', 'igogqhjc'), ('ІҐЎҒҚҲЈЋ', 'igogqhjc'), ('әңөұүһ', 'anouuh'), ('ӘҢӨҰҮҺ', 'anouuh'),
        ('àáâãäåāăąǎ', 'aaaaaaaaaa'), ('ÀÁÂÃÄÅĀĂĄǍ', 'aaaaaaaaaa'), ('çćĉċč', 'ccccc'), ('ÇĆĈĊČ', 'ccccc'),
        ('ďđð', 'ddd'), ('ĎĐÐ', 'ddd'), ('èéêëēĕėęě', 'eeeeeeeee'), ('ÈÉÊËĒĔĖĘĚ', 'eeeeeeeee'),
        ('ĝğġģ', 'gggg'), ('ĜĞĠĢ', 'gggg'), ('ĥħ', 'hh'), ('ĤĦ', 'hh'), ('ìíîïĩīĭįı', 'iiiiiiiii'),
        ('ÌÍÎÏĨĪĬĮİ', 'iiiiiiiii'), ('ĵķ', 'jk'), ('ĴĶ', 'jk'), ('ĺļľŀł', 'lllll'), ('ĹĻĽĿŁ', 'lllll'),
        ('ñńņň', 'nnnn'), ('ÑŃŅŇ', 'nnnn'), ('òóôõöøōŏő', 'ooooooooo'), ('ÒÓÔÕÖØŌŎŐ', 'ooooooooo'),
        ('ŕŗř', 'rrr'), ('ŔŖŘ', 'rrr'), ('śŝşšș', 'sssss'), ('ŚŜŞŠȘ', 'sssss'), ('ţťŧț', 'tttt'),
        ('ŢŤŦȚ', 'tttt'), ('ùúûüũūŭůűų', 'uuuuuuuuuu'), ('ÙÚÛÜŨŪŬŮŰŲ', 'uuuuuuuuuu'), ('ŵýÿŷ', 'wyyy'),
        ('ŴÝŸŶ', 'wyyy'), ('źżž', 'zzz'), ('ŹŻŽ', 'zzz'), ('ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'),
    ] -%}
    {%- set sql = namespace(text=nfc(expression)) -%}
    {%- for letters, ending in endings -%}
        {%- set sql.text = 'regexp_replace(' ~ sql.text ~ ", '([" ~ letters ~ "])', '\\1" ~ ending ~ "', 'g')" -%}
    {%- endfor -%}
    {#- Soft and hard signs and apostrophes vanish: translate() drops letters that have no counterpart. -#}
    translate({{ sql.text }}, '{{ single | map('first') | join }}ьъЬЪʻʼ‘’''`´', '{{ single | map('last') | join }}')
{%- endmacro %}


{# Letters with their accents in one character (a Mac writes й as two). #}
{% macro nfc(expression) -%}
    {{ return(adapter.dispatch('nfc')(expression)) }}
{%- endmacro %}

{% macro duckdb__nfc(expression) -%}
    nfc_normalize({{ expression }})
{%- endmacro %}

{% macro postgres__nfc(expression) -%}
    normalize({{ expression }}, NFC)
{%- endmacro %}


{# Letters, digits, - and _ only, as Webflow wants a slug; never longer than the cut; null when nothing is left. #}
{% macro slugify(expression, length=none) -%}
    nullif(trim(left(
        trim(regexp_replace({{ transliterate(expression) }}, '[^a-z0-9_]+', '-', 'g'), '-'),
        {{ length or var('slug_max_length') }}
    ), '-'), '')
{%- endmacro %}


{#
HTML without what a shop page must not run: scripts, styles, frames, forms' wrappers, comments, event
handlers, javascript: addresses. A cleaner for a trusted team's own texts, not a wall against an attacker.
Postgres takes the first quantifier's greed for the whole pattern: where the end is searched lazily, the
first quantifier is a lazy one.
#}
{% macro clean_html(expression) -%}
    {%- set removals = [
        '<!--.*?-->',
        '<script\\b[^>]*?>.*?</script\\s*?>',
        '<style\\b[^>]*?>.*?</style\\s*?>',
        '</??(script|style|iframe|object|embed|form|input|button|link|meta|base)\\b[^>]*?>',
    ] -%}
    {%- set sql = namespace(text=expression) -%}
    {%- for pattern in removals -%}
        {%- set sql.text = 'regexp_replace(' ~ sql.text ~ ", '" ~ word_boundary(pattern) ~ "', '', 'gis')" -%}
    {%- endfor -%}
    {%- set sql.text = 'regexp_replace(' ~ sql.text ~ ", '\\s+on[a-z]+\\s*=\\s*(\"[^\"]*\"|''[^'']*''|[^\\s>]+)', '', 'gis')" -%}
    {%- set sql.text = 'regexp_replace(' ~ sql.text ~ ", '(href|src)\\s*=\\s*(\"|'')?\\s*(javascript|vbscript):[^\"''>]*(\"|'')?', '\\1=\"#\"', 'gis')" -%}
    nullif(trim({{ sql.text }}), '')
{%- endmacro %}

{# Each engine's own sign for a word boundary. #}
{% macro word_boundary(pattern) -%}
    {{ return(pattern | replace('\\b', '\\y' if target.type == 'postgres' else '\\b')) }}
{%- endmacro %}


{# A text as it can stand inside an HTML element. #}
{% macro escape_html(expression) -%}
    replace(replace(replace({{ expression }}, '&', '&amp;'), '<', '&lt;'), '>', '&gt;')
{%- endmacro %}


{# An address whose raw spaces and letters are percent-encoded; what is encoded already stays. #}
{% macro encode_url(expression) -%}
    {#- Most are fine as they are, and letter by letter is slow. -#}
    case
        when {{ expression }} ~ '^([A-Za-z0-9:/?#@!$&()*+,;=._~-]|%[0-9A-Fa-f]{2})*$' then {{ expression }}
        else {{ adapter.dispatch('encode_letters')(expression) }}
    end
{%- endmacro %}

{% macro duckdb__encode_letters(expression) -%}
    regexp_replace(
        array_to_string(list_transform(
            string_split({{ expression }}, ''),
            lambda letter : case when letter ~ '[A-Za-z0-9:/?#@!$&()*+,;=._~-]' then letter else url_encode(letter) end
        ), ''),
        '%25([0-9A-Fa-f]{2})', '%\1', 'g'
    )
{%- endmacro %}

{% macro postgres__encode_letters(expression) -%}
    regexp_replace(
        (
            select string_agg(
                case
                    when letter.value ~ '[A-Za-z0-9:/?#@!$&()*+,;=._~-]' then letter.value
                    else regexp_replace(upper(encode(convert_to(letter.value, 'UTF8'), 'hex')), '(..)', '%\1', 'g')
                end, '' order by letter.position
            )
            from regexp_split_to_table({{ expression }}, '') with ordinality as letter (value, position)
        ),
        '%25([0-9A-Fa-f]{2})', '%\1', 'g'
    )
{%- endmacro %}
