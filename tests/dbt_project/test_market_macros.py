"""The dispatched macros of the market models answer alike on both engines."""

from __future__ import annotations

import json
import random
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import pytest
from dbt_build import Build


def cast(text: str, kind: str) -> str:
    """From a subquery: Postgres would cast a constant before it asks whether it can be cast."""
    return f"{{{{ cast_text(\"(select cast('{text}' as text))\", '{kind}') }}}}"


CASES: dict[str, tuple[str, Any]] = {
    cast("2025-12-05T05:45:20.620668008", "local_timestamp"): ("ISO, nine digits", "2025-12-05 00:45:20.620668"),
    cast("09/21/2026 13:05:00", "local_timestamp"): ("American", "2026-09-21 08:05:00"),
    cast("21.09.2026 13:05", "local_timestamp"): ("Russian", "2026-09-21 08:05:00"),
    cast("2026-09-21T08:05:00Z", "local_timestamp"): ("with an offset", "2026-09-21 08:05:00"),
    cast("21/09/2026", "local_timestamp"): ("no such month", None),
    cast("1556519941282", "epoch_ms"): ("milliseconds", "2019-04-29 06:39:01.282"),
    "{{ local_date(\"timestamptz '2026-01-01 19:30:00+00'\") }}": ("already the next day in Tashkent", "2026-01-02"),
    "{{ json_at(as_json(\"'[10, 20]'\"), 1) }}": ("second of two", "20"),
    "{{ json_at(as_json(\"'[10, 20]'\"), 2) }}": ("out of range", None),
    "{{ json_at(as_json(\"'[10, 20]'\"), '(-1)') }}": ("negative", None),
    "{{ json_length(as_json(\"'[1, [2, 3]]'\")) }}": ("two elements", "2"),
    "{{ try_json(\"(select cast('{not json' as text))\") }}": ("no JSON", None),
    "{{ json_kind(as_json(\"'\\\"x\\\"'\")) }}": ("a string", "string"),
    "{{ currency_code(\"'Сом'\") }}": ("som", "UZS"),
    "{{ currency_code('cast(null as text)') }}": ("nothing said", "UZS"),
    "{{ currency_code(\"'Доллар'\") }}": ("dollars", "USD"),
    "{{ currency_code(\"'Тенге'\") }}": ("another", "ТЕНГЕ"),
    "{{ currency_code(\"'1'\") }}": ("a number of the portal", "UZS"),
    "{{ currency_code(\"'7'\") }}": ("a number that nobody knows", "7"),
    "{{ currency_code(\"'Сўм'\") }}": ("som in Uzbek letters", "UZS"),
    "{{ currency_code(\"'Soʻm'\") }}": ("som in Latin letters", "UZS"),
    "{{ currency_code(\"'Евро'\") }}": ("euros", "EUR"),
    "{{ currency_code(\"'Доллар США'\") }}": ("dollars by their full name", "USD"),
    "{{ currency_code(\"'АҚШ доллари'\") }}": ("dollars in Uzbek", "USD"),
    "{{ currency_code(\"'Российский рубль'\") }}": ("roubles", "RUB"),
    "{{ plain_words(\"'Ўзбек халқи: «Холодильник» №5'\") }}": ("Cyrillic", "ozbek xalqi xolodilnik 5"),
    "{{ plain_words(\"'Oʻzbek xalqi, xolodilnik 5'\") }}": ("Latin", "ozbek xalqi xolodilnik 5"),
    "{{ organisation_key(\"'30 123 456'\", \"'x'\") }}": ("a tax number", "inn:30123456"),
    "{{ organisation_key('cast(null as text)', \"'YTT Каримов А.'\") }}": ("an individual", "name:ytt karimov a"),
    "{{ is_paid(\"'Не оплачен'\") }}": ("unpaid", "false"),
    "{{ is_paid(\"'Оплачена'\") }}": ("paid", "true"),
    "{{ is_paid(\"'Toʻlanmagan'\") }}": ("unpaid in Uzbek", "false"),
    "{{ is_paid(\"'Тўланган'\") }}": ("paid in Uzbek", "true"),
    "{{ is_paid(\"'Частично оплачен'\") }}": ("paid in part", "false"),
    "{{ ratio('1', '3', 100) }}": ("a percentage", "33.3333"),
    "{{ ratio('1', '0') }}": ("nothing to divide by", None),
    "(select count(*) from {{ each_day(\"date '2026-01-30'\", \"date '2026-02-02'\", 'd') }})": ("four days", "4"),
    "(select sum(n.number) from {{ each_number('1', '3', 'n') }})": ("1 to 3", "6"),
    "(select string_agg(p.part, '+' order by p.part) from {{ each_part(\"'b, a'\", ' *, *', 'p') }})": ("parts", "a+b"),
}  # fmt: skip
OUTCOMES = {
    "award": (
        "Заключен договор", "Оплачена", "Поставлена (Восстановлена)", "Совершен", "Состоялся", "Зарегистрирован",
        "Shartnoma tuzildi", "Yetkazib berildi", "Toʻlandi", "Gʻolib aniqlandi", "Amalga oshgan",
        "Шартнома тузилди", "Бажарилган", "Ғолиб томонидан қабул қилинган (Амалга ошган)", "Етказиб берилди",
    ),
    "called_off": (
        "Отклонён", "Сделка отменена", "Расторгнут", "Не состоялся", "Договор не заключен", "Аннулирован",
        "Bekor qilindi", "Rad etilgan", "Shartnoma tuzilmadi", "Amalga oshmagan",
        "Бекор қилинган", "Ғолиб томонидан рад этилган", "Амалга ошмаган",
    ),
    "pending": ("На согласовании", "Новая", "Ожидает оплаты", "Прием предложений", "Kutilmoqda", "Янги"),
    "unknown": ("Архив", "Не оплачена", "Тиклангани ҳақида", "Status 7", ""),
}  # fmt: skip
CASES |= {
    f"{{{{ deal_outcome(\"'{status}'\") }}}}": (f"the status {status!r}", outcome)
    for outcome, statuses in OUTCOMES.items()
    for status in statuses
}


MAGNITUDES = """
select
    place,
    {{ product('amount', 'quantity') }} as product,
    {{ money(product('amount', 'quantity')) }} as money,
    {{ money(product('amount', 'rate')) }} as converted,
    {{ ratio('amount', 'quantity', scale=2) }} as unit_price,
    {{ ratio(product('amount', 'other'), 'start', scale=2, digits=4) }} as scaled,
    {{ ratio('start - amount', 'start', 100) }} as percent,
    {{ ratio(product('amount', 'quantity'), 'start') }} as times
from {{ source('probes', 'magnitudes') }}
"""
Row = dict[str, Decimal]


def magnitudes() -> list[Row]:
    """Amounts to 10^15 with cents, quantities to 10^6 with four decimals, each magnitude with each; by a fixed seed."""
    chance = random.Random(14)  # noqa: S311

    def amount(power: int) -> Decimal:
        return Decimal(chance.randint(10 ** (power + 1), 10 ** (power + 2))).scaleb(-2)

    rows = [
        {
            "amount": amount(power), "other": amount(min(power, 12)), "start": amount(chance.randint(0, 15)),
            "quantity": Decimal(chance.randint(1, 10 ** (digits + 4))).scaleb(-4),
            "rate": Decimal(chance.randint(1, 10**12)).scaleb(-chance.choice((6, 12))),
        }
        for power in range(16)
        for digits in range(7)
    ]  # fmt: skip
    most = {
        "amount": Decimal(10**15),
        "other": Decimal(10**12),
        "start": Decimal("0.01"),
        "rate": Decimal(10**6),
    }
    half = {
        "amount": Decimal("0.05"),
        "other": Decimal("-0.05"),
        "start": Decimal("-3"),
        "rate": Decimal("0.1"),
    }
    return [*rows, most | {"quantity": Decimal(10**6)}, half | {"quantity": Decimal("0.1")}]


def rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def by_hand(row: Row) -> Row:
    """Half away from zero, as people round."""
    product = row["amount"] * row["quantity"]
    return {
        "product": product,
        "money": rounded(product, 2),
        "converted": rounded(row["amount"] * row["rate"], 2),
        "unit_price": rounded(row["amount"] / row["quantity"], 2),
        "scaled": rounded(row["amount"] * row["other"] / row["start"], 2),
        "percent": rounded(100 * (row["start"] - row["amount"]) / row["start"], 4),
        "times": rounded(product / row["start"], 4),
    }


def a_table_of(project: Build, rows: list[Row]) -> None:
    values = ", ".join(
        f"({place}, {', '.join(str(value) for value in row.values())})" for place, row in enumerate(rows)
    )
    project.execute(
        "create schema if not exists probes",
        "create table probes.magnitudes (place integer, amount numeric(18, 2), other numeric(18, 2), "
        "start numeric(18, 2), quantity numeric(18, 4), rate numeric(24, 12))",
        f"insert into probes.magnitudes select place, amount, other, start, quantity, rate from (values {values}) "
        f"as given (place, {', '.join(rows[0])})",
    )


@pytest.fixture(scope="module")
def answers(project: Build) -> list[str | None]:
    """All cases in one model, because each dbt process costs seconds."""
    folder = project.folder / "probes"
    folder.mkdir()
    macros = json.dumps(str(project.project / "macros"))
    (folder / "dbt_project.yml").write_text(f"name: probes\nprofile: karvon\nmacro-paths: [{macros}]\n")
    (folder / "models").mkdir()
    selects = [f"select {place} as place, cast({sql} as text) as answer" for place, sql in enumerate(CASES)]
    (folder / "models" / "probe.sql").write_text("\nunion all\n".join(selects))
    (folder / "models" / "magnitudes.sql").write_text(MAGNITUDES)
    (folder / "models" / "sources.yml").write_text(
        "sources: [{name: probes, schema: probes, tables: [{name: magnitudes}]}]"
    )
    a_table_of(project, magnitudes())
    (folder / "profiles.yml").write_text((project.project / "profiles.yml").read_text())
    probes = Build(project.warehouse, project.environment, project.folder / "probed", folder)
    probes.folder.mkdir()
    probes.dbt("run")
    return [row["answer"] for row in project.rows("select answer from marts.probe order by place")]


def test_the_macros_of_the_market_models_answer_alike_on_both_engines(answers: list[str | None]) -> None:
    wanted = dict(CASES.values())
    told = {what: answer for (what, _), answer in zip(CASES.values(), answers, strict=True)}
    for what, value in wanted.items():
        if told[what] is not None and value is not None and " " in value and ":" in value:
            told[what] = told[what].removesuffix("+00").removesuffix("+00:00")
    assert told == wanted


@pytest.mark.usefixtures("answers")
def test_money_times_quantity_is_right_to_the_cent_at_every_magnitude(project: Build) -> None:
    with localcontext(prec=80):
        wanted = [by_hand(row) for row in magnitudes()]
    found = project.rows("select * from marts.magnitudes order by place")
    assert len(found) == len(wanted) > 100
    for row, right in zip(found, wanted, strict=True):
        assert {name: row[name] for name in right} == right, magnitudes()[row["place"]]
