"""Amounts as people and programs write them, with every reading that a text has.

As the macro `read_amounts` (dbt_project/macros/user_apis.sql): a sign before the last three digits may be that of
decimals or of thousands (12.345); all else has one reading, or none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from pipelines.sources.user_apis.mapping import FieldMapping

_SYMBOLS = (
    ("US$", "USD"), ("R$", "BRL"), ("$", "USD"), ("€", "EUR"), ("£", "GBP"), ("¥", "JPY"), ("₽", "RUB"), ("₹", "INR"),
    ("₺", "TRY"), ("₴", "UAH"), ("₸", "KZT"), ("₩", "KRW"), ("₫", "VND"), ("₪", "ILS"),
)  # fmt: skip
_TIDY = str.maketrans(
    "٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹０１２３４５６７８９\u00a0\u202f\u2009\u2007−–’‘ʼ٬٫",
    "012345678901234567890123456789    --''''.",
)
_GROUPS = r"(?:[1-9]\d{{0,2}}(?:[{0} ']\d{{2,3}})*[{0} ']\d{{3}}|\d+)?"
_POINT = re.compile(_GROUPS.format(",") + r"(?:[.]\d+)?", re.ASCII)
_COMMA = re.compile(_GROUPS.format(".") + r"(?:,\d+)?", re.ASCII)
_CODE_FIRST = re.compile(r"[+-]? ?([A-Z]{3})[^A-Z]+")
_CODE_LAST = re.compile(r"[^A-Z]+([A-Z]{3})")


@dataclass(frozen=True)
class Read:
    """What stands at the paths of a field."""

    text: str | None
    is_number: bool = False
    """It was a number in the JSON, so a point is one of decimals."""
    currency: str | None = None
    """That the texts of a sum name."""
    value_count: int = 1


@dataclass(frozen=True)
class Reading:
    amount: Decimal | None
    is_ambiguous: bool = False
    currency: str | None = None
    """That the text itself names."""


def reading(text: str, decimal: str | None, *, is_number: bool = False) -> Reading:
    """The amount of a text; None where it is none, or where it could be two."""
    tidy = text.translate(_TIDY).strip(" ").upper()
    for symbol, code in _SYMBOLS:
        tidy = tidy.replace(symbol, code)
    named = _CODE_FIRST.fullmatch(tidy) or _CODE_LAST.fullmatch(tidy)
    if named:
        tidy = re.sub(" ?[A-Z]{3} ?", "", tidy, count=1).strip(" ")
    is_minus = tidy.startswith("-") or (tidy.endswith("-") and not is_number)
    digits = re.sub("-$", "", re.sub("^[+-]", "", tidy)).strip(" ")
    values = set()
    if is_number or re.fullmatch(r"\d+(\.\d+)?E[+-]?\d{1,2}", digits, re.ASCII):
        values.add(digits)
    elif re.search("[0-9]", digits):
        if decimal != "comma" and _POINT.fullmatch(digits):
            values.add(digits.translate({ord(sign): None for sign in ", '"}))
        if decimal != "point" and _COMMA.fullmatch(digits):
            values.add(digits.translate({ord(sign): None for sign in ". '"}).replace(",", "."))
    said = named[1] if named else None
    if len(values) != 1:
        return Reading(None, len(values) > 1, said)
    try:
        amount = Decimal(values.pop())
    except InvalidOperation:
        return Reading(None, currency=said)
    return Reading(-amount if is_minus else amount, currency=said)


def total(mapping: FieldMapping, texts: Sequence[tuple[str, bool]]) -> Read:
    """All amounts together; where one cannot be read, or they are of two currencies, that text."""
    if not texts:
        return Read(None)
    readings = [(text, reading(text, mapping.decimal, is_number=is_number)) for text, is_number in texts]
    unread = sorted(text for text, one in readings if one.amount is None)
    codes = {one.currency for _, one in readings}
    if unread or len(codes) > 1:
        return Read((unread or sorted(text for text, one in readings if one.currency))[0])
    return Read(
        format(sum((one.amount or Decimal() for _, one in readings), Decimal()), "f"), True, codes.pop()
    )


def judged(
    name: str, mapping: FieldMapping, read: Read, currency: str | None, exponents: Mapping[str, int]
) -> tuple[Decimal | None, str | None]:
    """The amount in whole units of its currency, or why it takes no part."""
    found = reading(read.text or "", mapping.decimal, is_number=read.is_number)
    if problem := _problem(name, mapping, read, found, currency, exponents):
        return None, problem
    amount = found.amount or Decimal()
    amount = abs(amount) if mapping.sign == "absolute" else -amount if mapping.sign == "negative" else amount
    digits = _digits(mapping, currency, exponents) if mapping.is_minor else 0
    return amount.scaleb(-(digits or 0)).quantize(Decimal("0.0001"), ROUND_HALF_UP) + 0, None


def _digits(mapping: FieldMapping, currency: str | None, exponents: Mapping[str, int]) -> int | None:
    stated = mapping.minor_units.get(currency or "") if isinstance(mapping.minor_units, dict) else None
    return stated if stated is not None else exponents.get(currency or "")


def _problem(
    name: str,
    mapping: FieldMapping,
    read: Read,
    found: Reading,
    currency: str | None,
    exponents: Mapping[str, int],
) -> str | None:
    shown = "" if "@" in (read.text or "") else f' "{(read.text or "")[:60]}"'
    amount, named, exponent = found.amount, read.currency or found.currency, exponents.get(currency or "")
    if amount is None:
        if found.is_ambiguous:
            return f"{shown} can be read in two ways (write decimal: point or decimal: comma in the mapping)"
        return f"{shown} is not a number{f' with decimal: {mapping.decimal}' if mapping.decimal else ''}"
    if named is not None and named != currency:
        return f"{shown} is not in {currency or 'a currency that the record names'}"
    if read.value_count > 1 and mapping.opens_places:
        way_out = "write sum, choose by name, or others: ignore"
        return f" has {read.value_count} values and the mapping reads one ({way_out})"
    if mapping.is_minor and (problem := _problem_of_digits(mapping, amount, shown, currency, exponent)):
        return problem
    if mapping.sign == "positive" and amount < 0:
        ways = "negative or absolute" if name == "refunded_amount" else "negative, absolute or signed"
        return f"{shown} is below zero (write sign: {ways} in the mapping)"
    if mapping.sign == "negative" and amount > 0:
        return f"{shown} is above zero, and the mapping says sign: negative"
    return None


def _problem_of_digits(
    mapping: FieldMapping, amount: Decimal, shown: str, currency: str | None, exponent: int | None
) -> str | None:
    units = mapping.minor_units
    if currency is None:
        return " is in the smallest unit of a currency that the record does not name (map currency)"
    if type(units) is int and exponent is not None and units != exponent:
        return (
            f" has minor_units: {units}, and {currency} has {exponent} digits (write minor_units: true, or "
            f"{{{currency}: {units}}} if the API differs)"
        )
    if exponent is None and not (isinstance(units, dict) and currency in units):
        way_out = f"write minor_units: {{{currency}: 2}}"
        return f" is in the smallest unit of {currency}, whose digits are not known ({way_out})"
    if amount != amount.to_integral_value():
        return f"{shown} is no whole number of the smallest unit (take minor_units out?)"
    return None
