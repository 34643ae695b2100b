{#
Arithmetic on money, quantities and their ratios: the only place that multiplies or divides columns.

DuckDB keeps 18 digits of a product of two numeric(18, s) and fails beyond, and divides as floating point; a tender of
10^12 sums meets both. So it is done wide: 38 digits, exact, rounded half away from zero, alike on both engines, up to
10^15 × 10^6 and a good way beyond.
#}

{# Money is kept with two decimals and its currency beside it: amounts of a source up to 10^16, products and sums beyond. #}
{% macro money(expression) -%}
    cast({{ expression }} as numeric(38, 2))
{%- endmacro %}

{# All factors multiplied. Of the first, `scale` decimals count (4); the others keep theirs, so rates stand behind amounts. #}
{% macro product(first) -%}
    (cast({{ first }} as numeric(38, {{ kwargs.get('scale', 4) }}))
    {%- for factor in varargs %} * ({{ factor }}){% endfor %})
{%- endmacro %}

{#
A quotient, share or percentage (`factor=100`) with `scale` decimals; null when there is nothing to divide by. `digits`:
so many decimals of both sides count. One digit more than asked is computed and rounded away, in whole numbers.
#}
{% macro ratio(numerator, denominator, factor=1, scale=4, digits=6) -%}
    cast(
        {{ adapter.dispatch('whole_quotient')(numerator, denominator, factor * 10 ** (scale + 1), digits) }}
        * 0.{{ '0' * scale }}1 as numeric(38, {{ scale }})
    )
{%- endmacro %}

{# factor × numerator ÷ denominator without what stands behind the point. #}
{% macro duckdb__whole_quotient(numerator, denominator, factor, digits) -%}
    {%- set unit = 10 ** digits -%}
    cast(
        cast(cast({{ numerator }} as numeric(38, {{ digits }})) * {{ unit }} as hugeint) * {{ factor }}
        // nullif(cast(cast({{ denominator }} as numeric(38, {{ digits }})) * {{ unit }} as hugeint), 0)
        as numeric(38, 0)
    )
{%- endmacro %}

{% macro postgres__whole_quotient(numerator, denominator, factor, digits) -%}
    div(
        cast({{ numerator }} as numeric(38, {{ digits }})) * {{ factor }},
        nullif(cast({{ denominator }} as numeric(38, {{ digits }})), 0)
    )
{%- endmacro %}
