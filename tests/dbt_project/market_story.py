"""Eight days of a small market in which every product is one trap of the Uzum and UZEX dossier (§1.3, §1.4, §3)."""

from __future__ import annotations

from typing import Any

from dbt_build import BEGIN, NOW, Build

Document = dict[str, Any]
ROOT = {"id": 1, "title": "Electronics", "productAmount": 7741, "parent": None}
PHONES = {"id": 10, "title": "Phones", "productAmount": 10, "parent": ROOT}
DEEP = {"id": 11, "title": "Deep leaf", "productAmount": 1, "parent": PHONES}


def sku(number: int, price: float | None, stock: int, full: float | None = None, **fields: Any) -> Document:
    return {
        "id": number,
        "characteristics": [],
        "availableAmount": stock,
        "fullPrice": full if full is not None else price,
        "purchasePrice": price,
        "barcode": 1000061208901 + number,
        "stock": {"type": "FBO", "deliveryDays": 2},
    } | fields


def product(number: int, orders: int, skus: list[Document], **fields: Any) -> Document:
    return {
        "id": number,
        "title": f"Mahsulot {number}",
        "localizableTitle": {"uz": f"Mahsulot {number}", "ru": f"Товар {number}"},
        "category": DEEP,
        "seller": seller(1),
        "ordersAmount": orders,
        "rOrdersAmount": orders // 10 * 10,
        "totalAvailableAmount": sum(one["availableAmount"] for one in skus),
        "reviewsAmount": 3,
        "rating": 4.5,
        "photos": [{"photoKey": f"p{number}", "photo": {"800": {"high": "x"}}, "color": "#ffffff"}],
        "characteristics": [],
        "skuList": skus,
    } | fields


def seller(number: int) -> Document:
    return {
        "id": number,
        "title": f"Do'kon {number}",
        "link": f"shop{number}",
        "registrationDate": 1556519941282,
        "orders": 1000,
        "official": number == 1,
        "rating": 4.8,
    }


def titled(number: int, seller_number: int, title: str, price: int, stock: int = 5) -> Document:
    """A product as in 2024: without localizableTitle."""
    skus = [sku(number * 10 + 1, price, stock)]
    return product(number, 1, skus, title=title, localizableTitle=None, seller=seller(seller_number))


OPTIONS = [
    {"id": -1, "title": "Rang", "values": [{"title": "Qora"}, {"title": "Oq"}]},
    {"id": 5, "title": "Xotira", "values": [{"title": "128 GB"}]},
]


def pointing(*pairs: tuple[int, int]) -> list[Document]:
    return [{"charIndex": place, "valueIndex": value} for place, value in pairs]


def day_1() -> dict[str, Document]:
    return {
        "1": product(1, 100, [sku(11, 1000, 50)]),
        "2": product(2, 50, [sku(21, 2000, 30)]),
        "3": product(3, 10, [sku(31, 500, 5)]),
        "4": product(4, 7, [sku(41, 900.0, 9, full=1000.0)]),
        "5": product(5, 70, [sku(51, 300, 40)]),
        "6": product(6, 5, [sku(61, 4000, 20)], seller=seller(2)),
        "8": product(8, 200, [sku(81, 100, 10), sku(82, 200, 10)], seller=seller(2)),
        "9": product(9, 3, [sku(91, 700, 2)]),
        "10": product(
            10,
            0,
            [
                sku(101, 100, 10, characteristics=pointing((0, 0), (1, 0))),
                sku(102, 200, 10, characteristics=pointing((0, 1), (7, 0), (0, -1))),
            ],
            characteristics=OPTIONS,
        ),
        "20": titled(20, 1, "Смартфон Redmi A305 Pro", 1000),
        "21": titled(21, 2, "Redmi «A305» PRO, smartfon original", 900),
        "22": titled(22, 3, "Чехол прозрачный для Redmi A305", 50),
        "23": titled(23, 3, "Redmi smartfon A305", 990),
        # Cheaper than 20 and 21, and sold out.
        "24": titled(24, 4, "Redmi A305 pro smartfon", 100, stock=0),
        "30": product(30, 1, [sku(301, 79_990, 4, full=99_990), sku(302, 79_990, 4, full=99_990)]),
    }  # fmt: skip


def badly_listed() -> Document:
    """One SKU twice, one without an id, an option that the product does not have, numbers that are none."""
    skus = [
        sku(301, 79_990, 0, full=99_990),
        sku(302, 0, 0, characteristics=pointing((0, 9))),
        sku(301, 79_990, 4, full=99_990),
        sku(303, 5, 1, id=None),
    ]
    odd = {"reviewsAmount": "many", "warranty": {"amount": {"months": 12}}, "photos": {"photoKey": "p30"}}
    return product(30, 1, skus, characteristics=OPTIONS, **odd)


def changes() -> dict[int, dict[str, Document | None]]:
    """What each later day finds changed."""
    long_name = {"title": "Mahsulot 5", "localizableTitle": {"uz": "Mahsulot 5", "ru": "Товар 5"}}
    return {
        2: {
            "1": product(1, 103, [sku(11, 1000, 47)]),
            "4": product(4, 8, [sku(41, None, 8)]),
            "6": product(6, 7, [sku(61, 4000, 20)], seller=seller(2)),
            "8": product(8, 206, [sku(81, 100, 6), sku(82, 200, 8)], seller=seller(2)),
            "9": product(9, 5, [sku(91, 700, 0)]),
            "30": badly_listed(),
        },
        3: {
            # Two were sold and ten came in.
            "1": product(1, 105, [sku(11, 1000, 55)]),
            "2": product(2, 20, [sku(21, 2000, 26)]),
            "3": None,
            "4": product(4, 8, [sku(41, 1300, 8, full=1300)]),
            "7": product(7, 2, [sku(71, 60, 5)], seller=seller(9)),
            # A SKU that vanishes for a day and comes back.
            "8": product(8, 206, [sku(81, 100, 6)], seller=seller(2)),
        },
        6: {
            "3": product(3, 15, [sku(31, 500, 9)]),
            "4": product(4, 8, [sku(41, 890, 8, full=1300)]),
            "5": product(5, 76, [sku(51, 300, 34)], **long_name),
            "8": product(8, 207, [sku(81, 100, 5), sku(82, 200, 3)], seller=seller(2)),
            "9": product(9, 5, [sku(91, 700, 12)]),
        },
        7: {
            "1": product(1, 109, [sku(11, 700, 51)]),
            "30": product(30, 1, [sku(301, 55_993, 4, full=99_990), sku(302, 55_993, 4, full=99_990)]),
        },
    }  # fmt: skip


DAYS = (1, 2, 3, 6, 7)
"""Days with a visit: nobody looks on days 4 and 5."""


def load_of(day: int) -> str:
    return f"{NOW - 90_000 + day}.{day}"


def visit(project: Build, day: int, *, scope: str = "ids 1-1999", documents: bool = True) -> None:
    """Lands what the day's visit found (16:00 UTC is 21:00 in Tashkent) and that it looked."""
    found = day_1() if day == 1 else changes()[day]
    minute = day * 1440 + 960
    if documents:
        project.land("raw_uzum.products", found, load_id=load_of(day), minute=minute)
    project.execute(
        "create table if not exists raw_uzum.observations (resource text, connection text, scope text,"
        " observed_at timestamptz, is_complete boolean, _dlt_load_id text)",
        f"insert into raw_uzum.observations values ('products', 'default', '{scope}',"
        f" timestamptz '{BEGIN.isoformat()}' + interval '{minute} minutes', true, '{load_of(day)}')",
    )


def date_of(day: int) -> str:
    return f"2026-01-{day + 1:02}"
