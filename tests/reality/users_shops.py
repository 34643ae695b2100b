"""Answers in the shape of real shops, payment services and ad platforms, and the definitions that read them.

Persons, numbers and names are invented. The shapes are those of WooCommerce `orders` (refunds as negative texts),
Shopify `orders.json` (refunds with transactions that may fail, test and cancelled orders), Stripe `charges` and Square
`orders` (smallest units), Payme receipts (tiyin, states as numbers) and Meta `leads` (answers as a list of names).
"""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]


def source(user: str, name: str, resource: Record, **more: Any) -> Record:
    plain = {
        "name": "orders",
        "path": "orders",
        "data_path": "items",
        "paginator": {"type": "single_page"},
        "key": "id",
    }
    return {
        "user_id": user,
        "source_id": name,
        "base_url": f"https://{name}.example/v1",
        "rate_limit": {"requests": 1000, "seconds": 1},
        "resources": [{**plain, **resource}],
        **more,
    }


def woo(number: int, total: str, status: str, *refunds: str, **more: Any) -> Record:
    person = {
        "first_name": "Zulfiya",
        "last_name": "Rahmonova",
        "email": "Zulfiya.R@post.example",
        "phone": "+998 71 200-11-22",
        "address_1": "Navoiy 14",
        "city": "Tashkent",
        "country": "UZ",
    }
    return {
        "id": number,
        "number": f"{number}",
        "status": status,
        "currency": "GBP",
        "total": total,
        "date_created_gmt": "2026-04-02T08:15:00",
        "date_modified_gmt": "2026-04-05T09:00:00",
        "customer_id": 31,
        "billing": person,
        "shipping": {**person, "email": ""},
        "customer_ip_address": "203.0.113.77",
        "customer_note": "Please ring Zulfiya Rahmonova, 90 123 45 67, before noon",
        "meta_data": [
            {"key": "_billing_email_copy", "value": "zulfiya.r@post.example"},
            {"key": "gift", "value": "yes"},
        ],
        "line_items": [{"name": "Ikat cushion", "sku": "IK-7", "price": 12.5, "meta_data": []}],
        "refunds": [{"id": 9000 + nth, "reason": "", "total": refund} for nth, refund in enumerate(refunds)],
        **more,
    }


WOO_FIELDS: Record = {
    "ordered_at": "date_created_gmt",
    "updated_at": "date_modified_gmt",
    "customer_key": "customer_id",
    "email": "billing.email",
    "currency": "currency",
    "gross_amount": "total",
    "status": {
        "path": "status",
        "map": {
            "completed": "paid",
            "processing": "paid",
            "on-hold": "pending",
            "failed": "cancelled",
            "checkout-draft": "ignore",
        },
    },
    "refunded_amount": {"sum": "refunds[].total", "sign": "negative"},
}
WOO: list[Record] = [
    woo(1, "61.20", "completed", "-11.20", "-4.05"),
    woo(2, "18.00", "processing"),
    woo(3, "75.50", "refunded", "-75.50"),
    woo(4, "20.00", "on-hold"),
    woo(5, "33.00", "checkout-draft"),
    woo(6, "44.00", "failed"),
]


def shopify(
    number: int, total: str, status: str, refunds: list[list[tuple[str, str, str]]], **more: Any
) -> Record:
    return {
        "id": number,
        "name": f"#{number}",
        "created_at": "2026-04-03T10:00:00+02:00",
        "updated_at": "2026-04-06T10:00:00+02:00",
        "financial_status": status,
        "total_price": total,
        "currency": "EUR",
        "test": False,
        "cancelled_at": None,
        "email": "petr@post.example",
        "customer": {"id": 77, "first_name": "Petr", "last_name": "Dvořák"},
        "refunds": [
            {
                "id": nth,
                "transactions": [
                    {"kind": kind, "status": state, "amount": amount} for kind, state, amount in one
                ],
            }
            for nth, one in enumerate(refunds)
        ],
        **more,
    }


SHOPIFY_FIELDS: Record = {
    "ordered_at": "created_at",
    "updated_at": "updated_at",
    "email": "email",
    "gross_amount": "total_price",
    "currency": "currency",
    "status": {
        "path": "financial_status",
        "map": {"partially_refunded": "partly_refunded", "voided": "cancelled"},
        "cases": [{"when": {"cancelled_at": {"exists": True}}, "then": "cancelled"}],
    },
    "refunded_amount": {"sum": "refunds[].transactions[kind=refund, status=success].amount"},
}
SHOPIFY: list[Record] = [
    shopify(
        501,
        "250.10",
        "partially_refunded",
        [
            [("refund", "success", "30.05")],
            [("refund", "success", "7.00"), ("refund", "failure", "99.00"), ("void", "success", "1.00")],
        ],
    ),
    shopify(502, "80.00", "paid", [], test=True),
    shopify(503, "19.90", "paid", [], cancelled_at="2026-04-04T00:00:00+02:00"),
    shopify(504, "12.00", "paid", []),
]


def charge(number: int, amount: Any, currency: str, refunded: int = 0, **more: Any) -> Record:
    return {
        "id": f"ch_{number}",
        "created": 1775210400,
        "status": "succeeded",
        "amount": amount,
        "currency": currency,
        "amount_refunded": refunded,
        **more,
    }


def stripe_fields(minor_units: Any) -> Record:
    return {
        "ordered_at": "created",
        "status": {"path": "status", "map": {"succeeded": "paid", "failed": "cancelled"}},
        "gross_amount": {"path": "amount", "minor_units": minor_units},
        "refunded_amount": {"path": "amount_refunded", "minor_units": minor_units},
        "currency": "currency",
    }


STRIPE: list[Record] = [
    charge(1, 4205, "usd", 1005),
    charge(2, 4205, "jpy", 200),
    charge(3, 4205, "kwd", 1),
    charge(4, 4205, "uzs"),
    charge(5, 4200, "isk"),
    charge(6, 10, "xts"),
    charge(7, 42.5, "eur"),
    charge(8, "4,205", "eur"),
    charge(9, -300, "eur"),
]

SQUARE: list[Record] = [
    {
        "id": "sq1",
        "created_at": "2026-04-03T10:00:00Z",
        "state": "COMPLETED",
        "total_money": {"amount": 2599, "currency": "AUD"},
        "refunds": [
            {"status": "APPROVED", "amount_money": {"amount": 500, "currency": "AUD"}},
            {"status": "REJECTED", "amount_money": {"amount": 2099, "currency": "AUD"}},
        ],
    },
    {
        "id": "sq2",
        "created_at": "2026-04-03T11:00:00Z",
        "state": "DRAFT",
        "total_money": {"amount": 1, "currency": "AUD"},
    },
]
SQUARE_FIELDS: Record = {
    "ordered_at": "created_at",
    "currency": "total_money.currency",
    "status": {"path": "state", "map": {"COMPLETED": "paid", "DRAFT": "ignore"}},
    "gross_amount": {"path": "total_money.amount", "minor_units": True},
    "refunded_amount": {"sum": "refunds[status=APPROVED].amount_money.amount", "minor_units": "currency"},
}

PAYME: list[Record] = [
    {
        "_id": "p1",
        "create_time": 1775210400000,
        "state": 4,
        "amount": 15000000,
        "card": {"number": "860049******6478"},
    },
    {"_id": "p2", "create_time": 1775210400000, "state": 50, "amount": 900000},
    {"_id": "p3", "create_time": 1775210400000, "state": 0, "amount": 777700},
    {"_id": "p4", "create_time": 1775210400000, "state": 4, "amount": 100, "is_deleted": 1},
]
PAYME_FIELDS: Record = {
    "ordered_at": "create_time",
    "currency": {"constant": "UZS"},
    "status": {"path": "state", "map": {"4": "paid", "50": "cancelled", "0": "pending"}},
    "gross_amount": {"path": "amount", "minor_units": 2},
}


def lead(number: int, *answers: tuple[str, str]) -> Record:
    return {
        "id": f"{number}",
        "created_time": "2026-04-02T08:49:14+0000",
        "campaign_name": "Navruz",
        "field_data": [{"name": name, "values": [value]} for name, value in answers],
    }


LEAD_FIELDS: Record = {
    "created_at": "created_time",
    "campaign": "campaign_name",
    "email": {"first": ["field_data[name=email].values[0]", "field_data[name=work_email].values[0]"]},
    "phone": "field_data[name=phone_number].values[0]",
    "name": {"join": ["field_data[name=first_name].values[0]", "field_data[name=last_name].values[0]"]},
}
LEADS: list[Record] = [
    lead(
        1,
        ("first_name", "Olim"),
        ("last_name", "Karimov"),
        ("email", "Olim@post.example"),
        ("phone_number", "+998901112233"),
    ),
    lead(2, ("work_email", "malika@firma.example"), ("last_name", "Yusupova"), ("first_name", "Malika")),
]
OLD_LEAD_FIELDS: Record = {
    "created_at": "created_time",
    "campaign": "campaign_name",
    "name": "field_data[0].values[0]",
    "email": "field_data[2].values[0]",
}

FORMS: list[tuple[Any, str | None, str, str | None]] = [
    # What the API says, what the mapping says of the decimal sign, and what it is: an amount, or why it is none.
    ("17,30", None, "17.30", None),
    ("2.417,30", None, "2417.30", None),
    ("2 417,30", None, "2417.30", None),
    ("2\u00a0417.30", None, "2417.30", None),
    ("2\u202f417,30", None, "2417.30", None),
    ("2'417.30", None, "2417.30", None),
    ("2’417.30", None, "2417.30", None),
    ("1,417,300.5", None, "1417300.5", None),
    ("1.417.300", None, "1417300", None),
    ("4,17,300.00", None, "417300.00", None),
    ("0,417", None, "0.417", None),
    ("2417,300", None, "2417.3", None),
    (".5", None, "0.5", None),
    ("17.3", None, "17.3", None),
    ("17", None, "17", None),
    ("+17.30", None, "17.30", None),
    ("17.30 EUR", None, "17.30", None),
    ("EUR17,30", None, "17.30", None),
    ("€ 17,30", None, "17.30", None),
    ("4e2", None, "400", None),
    ("٤٢٫٥", None, "42.5", None),
    (42.1, None, "42.1", None),
    (7654321.98, None, "7654321.98", None),
    (0.2, None, "0.2", None),
    (4170, None, "4170", None),
    (41.940000000000005, None, "41.94", None),
    ("1234567890123.45", None, "1234567890123.45", None),
    ("24.170", None, "", "can be read in two ways"),
    ("24,170", None, "", "can be read in two ways"),
    ("2 417,300", None, "", "can be read in two ways"),
    ("-24.170", None, "", "can be read in two ways"),
    ("24.170", "comma", "24170", None),
    ("24,170", ",", "24.17", None),
    ("24.170", ".", "24.17", None),
    ("24,170", "point", "24170", None),
    (24.17, "comma", "24.17", None),
    ("17.30", "comma", "", "is not a number with decimal: comma"),
    ("17,30", "point", "", "is not a number with decimal: point"),
    ("$17.30", None, "", "is not in EUR"),
    ("17.30 USD", None, "", "is not in EUR"),
    ("-7.00", None, "", "is below zero"),
    ("7.00-", None, "", "is below zero"),
    ("−7,00", None, "", "is below zero"),
    ("-0.00", None, "0", None),
    ("1.41,730", None, "", "is not a number"),
    ("24 17", None, "", "is not a number"),
    ("12.", None, "", "is not a number"),
    ("1/2", None, "", "is not a number"),
    ("0x1A", None, "", "is not a number"),
    ("NaN", None, "", "is not a number"),
    ("free", None, "", "is not a number"),
    (True, None, "", "is not a number"),
    ([5], None, "", "is not a number"),
    ("12.50 / 13.00", None, "", "is not a number"),
    ("~12", None, "", "is not a number"),
    ("(7.00)", None, "", "is not a number"),
]


def forms_source(decimal: str | None) -> Record:
    told = {"decimal": decimal} if decimal else {}
    return source(
        "omar",
        f"forms_{_slug(decimal)}",
        {
            "entity": "order",
            "fields": {
                "ordered_at": "at",
                "status": {"constant": "paid"},
                "currency": {"constant": "EUR"},
                "gross_amount": {"path": "total", **told},
            },
        },
    )


def forms(decimal: str | None) -> list[Record]:
    return [
        {"id": nth, "at": "2026-04-02T10:00:00Z", "total": said}
        for nth, (said, stated, _, _) in enumerate(FORMS)
        if stated == decimal
    ]


def _slug(decimal: str | None) -> str:
    return {None: "unsaid", ",": "comma_sign", ".": "point_sign"}.get(decimal, str(decimal))


SOURCES: dict[str, tuple[Record, list[Record]]] = {
    "woo": (source("nora", "woo", {"entity": "order", "fields": WOO_FIELDS}, personal_data="hash"), WOO),
    "woo_old": (
        source(
            "nora",
            "woo_old",
            {"entity": "order", "fields": {**WOO_FIELDS, "refunded_amount": "refunds[0].total"}},
        ),
        WOO,
    ),
    "shopify": (
        source("nora", "shopify", {"entity": "order", "fields": SHOPIFY_FIELDS, "ignore": {"test": True}}),
        SHOPIFY,
    ),
    "shopify_old": (
        source(
            "nora",
            "shopify_old",
            {
                "entity": "order",
                "fields": {
                    **SHOPIFY_FIELDS,
                    "refunded_amount": "refunds[0].transactions[0].amount",
                },
            },
        ),
        SHOPIFY,
    ),
    "stripe": (source("omar", "stripe", {"entity": "order", "fields": stripe_fields({"ISK": 2})}), STRIPE),
    "stripe_old": (source("omar", "stripe_old", {"entity": "order", "fields": stripe_fields(2)}), STRIPE),
    "square": (source("omar", "square", {"entity": "order", "fields": SQUARE_FIELDS}), SQUARE),
    "payme": (
        source(
            "omar",
            "payme",
            {"entity": "order", "key": "_id", "fields": PAYME_FIELDS, "deleted": {"is_deleted": [1, True]}},
        ),
        PAYME,
    ),
    "leads": (source("nora", "leads", {"entity": "lead", "fields": LEAD_FIELDS}), LEADS),
    "leads_old": (source("nora", "leads_old", {"entity": "lead", "fields": OLD_LEAD_FIELDS}), LEADS),
    **{f"forms_{_slug(one)}": (forms_source(one), forms(one)) for one in (None, "comma", ",", ".", "point")},
}
