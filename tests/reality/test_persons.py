"""Persons where the procurement portal puts them: nested, in lists, in JSON inside text, in what people typed.

None of them is landed, and what analysts need stays.
"""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.kept import Kept
from pipelines.persons import MASK, counted, findings, is_business, is_person, redacted
from pipelines.sources.uzex import kept

PHONES = [
    "+998 (93) 412-55-07", "+998934125507", "998934125507", "93 412 55 07", "(93) 412-55-07", "93-412-55-07",
    "8 (371) 241-55-07", "+7 495 123-45-67",
]  # fmt: skip
NAMES = [
    "Qodirova Nilufar Anvar qizi", "Ergashev Jasur Bahodir o‘g‘li", "Тўраев Шерзод Ботир ўғли", "Ким Ольга Сергеевна",
    "Abdullayev Sardor", "Рустамова Д.К.", "B. Hamidov",
]  # fmt: skip
BUSINESSES = [
    "«Qodirov Savdo» MChJ", 'ООО "ЕВРО ТРЕЙД"', "ЯТТ Рустамова Д.", "ЧП Каримов", "Andijon tumani hokimligi",
    "12-maktab",
    "Агробанк АТБ", "AJ Uzmetkombinat",
]  # fmt: skip
GOODS = [
    "Бумага А4 №1", "Shprits 5 ml, 1000 dona", "Цемент М400 навалом", "17.12.14.119-00001", "Стол письменный 1200х600",
    "Услуги по ремонту, 3 этап", "ГОСТ 10178-85", "Dizel yoqilg‘isi L-0,2-62",
    "Насос 90 000 л/ч", "26110012500017",
]  # fmt: skip


@pytest.mark.parametrize("phone", PHONES)
def test_a_phone_is_found_however_it_is_written(phone: str) -> None:
    sentence = f"Murojaat uchun: {phone} (Nodira)"
    assert [kind for _, kind in findings({"note": sentence})] == ["phone"]
    assert not any(digit in redacted(sentence) for digit in "0123456789")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("yozing: nodira.k@namuna.example", "e-mail"), ("JSHSHIR 41203987654321", "PINFL"),
        ("karta 8600 3129 0000 0007", "card"), ("karta 8600312900000007", "card"),
        ("tel 934125507 ish vaqtida", "phone"),
    ],
)  # fmt: skip
def test_other_marks_of_persons_are_found_and_masked(text: str, kind: str) -> None:
    assert [found for _, found in findings([{"a": {"b": [text]}}])] == [kind]
    assert list(findings({"a": redacted(text)})) == []
    assert MASK in redacted(text)


def test_numbers_that_only_look_like_a_card_are_none() -> None:
    assert list(findings({"note": "8600 3129 0000 0006"})) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_persons_name_shows_itself(name: str) -> None:
    assert is_person(name)
    assert name.split()[0] not in redacted(f"Ta’minot bo‘limi, {name}, xona 5")
    assert list(findings({"provider_name": name})) == [("provider_name", "name")]


@pytest.mark.parametrize("name", BUSINESSES)
def test_a_business_is_none_though_it_bears_a_persons_name(name: str) -> None:
    assert is_business(name)
    assert not is_person(name)
    assert list(findings({"winners": [{"fullname": name}]})) == []


@pytest.mark.parametrize("text", GOODS)
def test_what_is_bought_stays_as_it_is(text: str) -> None:
    assert redacted(text) == text
    assert list(findings({"product_name": text, "lot_display_no": "26110012500017"})) == []


def competition() -> dict[str, Any]:
    """As the portal gives one, with invented people in every place in which it has them."""
    winner = {
        "id": 5, "fullname": NAMES[0], "inn": "301234567", "pinfl": "41203987654321", "job_title": "boshliq",
        "director": {"full_name": NAMES[1], "phones": ["+998934125507"]},
    }  # fmt: skip
    company = {"id": 6, "fullname": BUSINESSES[0], "inn": "302345678"}
    trader = {"id": 7, "fullname": NAMES[2], "inn": "41203987654321"}
    return {
        "id": 71, "cost": 48_000_000_000.0, "currency_name": "Сум", "status_name": "Совершен",
        "customer_name": BUSINESSES[4], "customer_inn": "200345678", "organizer_name": f"Mutaxassis {NAMES[4]}",
        "customer_phone": "+998712415507", "note": NAMES[1], "description": f"Mas’ul: {NAMES[4]}",
        "delivery_address": "Andijon, Bog‘ ko‘chasi 3", "new_field_of_tomorrow": {"passport": "AB1234567"},
        "js_details": [
            {
                "order_num": 1, "product_name": "Насос", "quantity": 2, "price": 24e9, "cost": 48e9,
                "description": f"Насос центробежный. Контактное лицо {NAMES[3]}, 93 412 55 07",
                "js_properties": [
                    {"property_name": "Единица измерения", "user_value": "шт", "user": {"fio": NAMES[3]}},
                    {"property_name": "Изоҳ", "user_value": "nodira.k@namuna.example"},
                ],
            }
        ],
        "winners_ids": [winner, company, trader],
        "winners_id": [winner, company, trader],
        "js_files": [{"custom_name": f"shartnoma {NAMES[4]}.pdf"}],
    }  # fmt: skip


def test_of_a_competition_items_and_winners_companies_stay_and_persons_do_not() -> None:
    landed = kept.DETAILS.of(competition())
    assert counted([landed]) == {}
    told = str(landed)
    assert not [word for name in NAMES for word in name.split() if len(word) > 3 and word in told]
    assert "41203987654321" not in told
    assert (landed["cost"], landed["customer_inn"], landed["status_name"]) == (
        48_000_000_000.0,
        "200345678",
        "Совершен",
    )
    (item,) = landed["js_details"]
    assert (item["product_name"], item["price"], item["js_properties"][0]) == (
        "Насос", 24e9, {"property_name": "Единица измерения", "user_value": "шт"},
    )  # fmt: skip
    assert item["description"].startswith("Насос центробежный. Контактное лицо")
    assert landed["winners_ids"] == [
        {"id": 5, "inn": "301234567"},
        {"id": 6, "fullname": BUSINESSES[0], "inn": "302345678"},
        {"id": 7},
    ]
    assert not landed.keys() & {
        "organizer_name",
        "customer_phone",
        "note",
        "js_files",
        "new_field_of_tomorrow",
    }


def test_the_scanner_sees_every_place_in_which_they_stood() -> None:
    assert {path for path, _ in findings(competition())} >= {
        "organizer_name", "customer_phone", "delivery_address", "new_field_of_tomorrow.passport",
        "js_details.description", "js_details.js_properties.user.fio", "js_details.js_properties.user_value",
        "winners_ids.fullname", "winners_ids.pinfl", "winners_id.director.full_name", "winners_id.director.phones",
        "winners_id.inn",
    }  # fmt: skip


def test_a_row_keeps_nothing_that_it_does_not_name() -> None:
    row = {
        "deal_id": 4,
        "provider_name": NAMES[0],
        "provider_inn": "41203987654321",
        "director_phone": "934125507",
    }
    assert kept.ROWS.of(row | {"rn": 3, "total_count": 9}) == {"deal_id": 4}
    trader = {"deal_id": 5, "provider_name": BUSINESSES[2], "provider_inn": None}
    assert kept.ROWS.of(trader) == {"deal_id": 5, "provider_name": BUSINESSES[2]}


def test_paths_are_kept_at_any_depth_and_end_where_they_say() -> None:
    rule = Kept(("id", "list.of.names", "list.size"))
    document = {
        "id": {"below": 1}, "other": 2,
        "list": [{"of": [{"names": ["a", {"b": 1}, ["c"]], "more": 3}], "size": 4}, "loose", [{"size": 5, "x": 6}]],
    }  # fmt: skip
    assert rule.of(document) == {"list": [{"of": [{"names": ["a"]}], "size": 4}, [{"size": 5}]]}
    with pytest.raises(ValueError, match="twice"):
        Kept(("a.b",), texts=("a.b",)).of({})
    with pytest.raises(ValueError, match="below a path"):
        Kept(("a", "a.b")).of({})
