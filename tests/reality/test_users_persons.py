"""With `personal_data: hash` no person reaches the warehouse, wherever an API puts one; what is needed stays hashed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from users_shops import LEAD_FIELDS, LEADS, WOO, WOO_FIELDS, source

from pipelines.sources.user_apis import privacy
from pipelines.sources.user_apis.definition import DataSource

_PLAIN: dict[str, Any] = {"ordered_at": "at", "status": "state", "gross_amount": "total", "currency": "cur"}
_PRIVACY = privacy.Privacy(b"k" * 32, frozenset())
_ORDER: dict[str, Any] = {
    "id": 7,
    "at": "2026-04-02T10:00:00Z",
    "state": "paid",
    "total": "10.00",
    "cur": "EUR",
}


def _landed(
    fields: dict[str, Any],
    records: list[dict[str, Any]],
    private: privacy.Privacy = _PRIVACY,
    **resource: Any,
) -> Any:
    plain = {"entity": "order", "fields": fields, **resource}
    declared = DataSource.model_validate(source("nora", "shop", plain, personal_data="hash"))
    return privacy.admitted(private, declared, declared.resources[0], records)


@pytest.mark.parametrize(
    "where",
    [
        {
            "contact": {
                "name": "Gulnora Aziz",
                "phones": [{"number": "+998 90 765-43-21"}],
                "mails": ["g.aziz@post.example"],
            }
        },
        {"buyer": "Gulnora Aziz"},
        {
            "customer": {
                "displayName": "Gulnora Aziz",
                "taxNumber": "AZ 778 221",
                "homeAddress": {"line": "Amir Temur 5"},
            }
        },
        {"note": "Gulnora asks for blue", "recipientName": "Gulnora Aziz"},
        {"meta": {"deep": [[{"text": "call +998 (90) 765 43 21 or write g.aziz@post.example"}]]}},
        {
            "lines": [{"name": "Card for Gulnora Aziz"}],
            "shipping": {"first_name": "Gulnora", "last_name": "Aziz"},
        },
        {
            "custom": [
                {"label": "Full name", "value": "Gulnora Aziz"},
                {"label": "Telefon", "value": 998907654321},
            ]
        },
        {"answers": [{"question": "E-mail", "answer": "g.aziz@post.example"}]},
        {"payload": '{"first_name": "Gulnora", "mail": "g.aziz@post.example"}'},
        {"by_mail": {"g.aziz@post.example": 3}},
        {"url": "https://shop.example/track?mail=g.aziz%40post.example"},
        {"FIO": "Aziz Gulnora", "ТЕЛЕФОН": "998907654321"},
        {"billing_address": {"company": "IE Gulnora Aziz", "zip": "100015"}},
        {"browser_ip": "198.51.100.23", "log": "from 198.51.100.23"},
        {"paid_with": "8600 1234 5678 9012"},
    ],
)
def test_no_person_is_landed_wherever_an_api_puts_one(where: dict[str, Any]) -> None:
    landed = _landed(_PLAIN, [{**_ORDER, **where}])
    text = json.dumps(landed, ensure_ascii=False)
    for person in (
        "Gulnora",
        "Aziz",
        "g.aziz",
        "765",
        "7654321",
        "Amir Temur",
        "778 221",
        "100015",
        "198.51",
        "8600",
    ):
        assert person not in text, text
    assert {name: landed[0][name] for name in _ORDER} == _ORDER


@pytest.mark.parametrize(
    "kept",
    [
        {
            "line_items": [{"name": "Ikat cushion", "sku": "IK-7", "title": "Blue"}],
            "product_name": "Cup",
            "name": "#1001",
        },
        {
            "times": ["2026-04-02 10:00:00", "2026-04-02", "02.04.2026 10:00"],
            "size": "10-20-30",
            "rate": "1234567.890123",
        },
        {
            "barcode": "4006381333931",
            "uuid": "550e8400-e29b-41d4-a716-446655440000",
            "number": "000012345678",
        },
        {
            "shipping_lines": [{"method_title": "Flat rate"}],
            "customer": {"id": 5, "country": "UZ", "accepts": True},
        },
        {"meta_data": [{"key": "gift_wrap", "value": "yes"}]},
    ],
)
def test_what_is_about_no_person_stays(kept: dict[str, Any]) -> None:
    assert _landed(_PLAIN, [{**_ORDER, **kept}]) == [{**_ORDER, **kept}]


def test_the_shapes_of_real_shops_and_forms_hold_no_person() -> None:
    text = json.dumps(
        [*_landed(WOO_FIELDS, WOO), *_landed(LEAD_FIELDS, LEADS, entity="lead")], ensure_ascii=False
    )
    for person in (
        "Zulfiya",
        "Rahmonova",
        "@",
        "%40",
        "200-11-22",
        "123 45 67",
        "Navoiy",
        "203.0.113",
        "Olim",
        "Karimov",
        "Malika",
        "9011",
    ):
        assert person.lower() not in text.lower(), person


def test_what_the_mapping_needs_is_kept_as_the_hash_of_the_cleaned_value() -> None:
    record = {
        **_ORDER,
        "id": "Ann@Post.example",
        "client": {"phone": "+44 20 7946 0001", "mail": " ANN@post.example "},
    }
    fields = {**_PLAIN, "email": "client.mail", "customer_key": "client.phone"}
    landed = _landed(fields, [record])[0]
    email = f"hmac:{_PRIVACY.hash_of('ann@post.example')}"
    assert (landed["id"], landed["client"]["mail"]) == (email, email)
    assert landed["client"]["phone"] == f"hmac:{_PRIVACY.hash_of('442079460001')}"
    # A text that is no address at all is not hashed: the models could no longer tell.
    assert _landed(fields, [{**record, "client": {"mail": "Ann"}}])[0]["client"]["mail"] == "[removed]"
    joined = _landed(LEAD_FIELDS, LEADS, entity="lead")[0]["field_data"]
    assert joined[0]["values"] == [f"hmac:{_PRIVACY.hash_of('olim karimov')}"]


@pytest.mark.parametrize("phone", ["00998 90 111-22-33", "+998901112233", "998901112233"])
@pytest.mark.parametrize("mode", ["keep", "hash"])
def test_a_forgotten_person_is_known_by_a_phone_number_in_every_spelling(phone: str, mode: str) -> None:
    private = privacy.Privacy(_PRIVACY.key, frozenset({("nora", _PRIVACY.hash_of("998901112233"))}))
    fields = {"created_at": "at", "phone": "answers[name=phone].values[0]"}
    declared = DataSource.model_validate(
        source("nora", "shop", {"entity": "lead", "fields": fields}, personal_data=mode)
    )
    record = {
        "id": 1,
        "at": "2026-04-02",
        "answers": [{"name": "email", "values": []}, {"name": "phone", "values": [phone]}],
    }
    assert privacy.admitted(private, declared, declared.resources[0], [record]) == []
    of_another = declared.model_copy(update={"user_id": "omar"})
    assert len(privacy.admitted(private, of_another, declared.resources[0], [record])) == 1
