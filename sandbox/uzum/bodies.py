"""The JSON of the storefront: products, shops, reviews, envelopes (dossier §1.3 to §1.5)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sandbox.chance import throws
from sandbox.state import Switches
from sandbox.uzum.departments import COLOURS, MEMORIES, category_chain
from sandbox.uzum.design import Design
from sandbox.uzum.market import Market

Json = dict[str, Any]
UZ, RU = 0, 1
RAW_CHARACTER = "\x01"
_PHOTO_SIZES = ("800", "240", "80")
_REVIEW_TEXTS = (
    ("Zo‘r mahsulot, tavsiya qilaman", "Отличный товар, рекомендую"), ("Narxiga arziydi", "Стоит своих денег"),
    ("Yetkazib berish tez", "Доставка быстрая"), ("Kutganimdan yomonroq", "Хуже, чем ожидал"),
)  # fmt: skip
_CUSTOMERS = ("Aziza", "Otabek", "Dilnoza", "Sardor", "Марина", "Тимур")


def envelope(payload: object) -> Json:
    """A timestamp without zone, with nanoseconds, as the real one."""
    now = datetime.now(UTC)
    return {"payload": payload, "timestamp": f"{now:%Y-%m-%dT%H:%M:%S.%f}{now.microsecond % 1000:03}"}


def error_envelope(code: str, message: str, detail: str) -> Json:
    errors = [{"code": code, "message": message, "detailMessage": detail}]
    return envelope(None) | {"errors": errors, "trace": "0af7651916cd43dd", "error": message}


def milliseconds(day: date, hour: int = 12) -> int:
    return int(datetime(day.year, day.month, day.day, hour, tzinfo=UTC).timestamp() * 1000)


def orders_rounded(orders: int) -> int:
    """`rOrdersAmount`: all digits but the first are gone."""
    step = int(10 ** (len(str(orders)) - 1))
    return orders // step * step


def product_payload(market: Market, design: Design, language: int, switches: Switches) -> Json:
    """`payload` of a product by id. The switch `uzum.body` chooses which year's fields it has."""
    data = product_data(market, design, language, switches)
    if switches["uzum.body"] == "2022":
        return {"data": data, "promotion": None}
    photos = [each["photoKey"] for each in data["photos"]]
    seo = {"title": f"{data['title']} - Uzum Market", "header": data["title"], "metaTag": data["description"],
           "photos": photos, "skuList": data["skuList"], "schema": {"@type": "Product",
                                                                    "name": data["title"]}}  # fmt: skip
    return {"data": data, "seo": seo}


def product_data(market: Market, design: Design, language: int, switches: Switches) -> Json:
    year = switches["uzum.body"]
    characteristics = characteristics_of(design, language)
    skus, total = _skus(market, design, language, switches)
    orders, reviews = market.orders(design), market.reviews(design)
    title = design.titles[language]
    data: Json = {
        "id": design.id, "title": title, "category": category_chain(design.department, language),
        "rating": rating(design, reviews), "reviewsAmount": reviews, "ordersAmount": orders,
        "rOrdersAmount": orders_rounded(orders), "totalAvailableAmount": total, "charityCommission": 0,
        "description": _description(design, title, control=switches["uzum.control_characters"]),
        "comments": [], "attributes": [("Kafolat 12 oy", "Гарантия 12 месяцев")[language]],
        "tags": [], "synonyms": [], "photos": _photos(design), "video": None, "hasCircularPhotos": False,
        "circularPhotosList": [], "characteristics": characteristics, "productOptionDtos": [], "skuList": skus,
        "seller": seller_body(market, market.seller_of(design)), "topFeedback": _top_feedback(market, design, language),
        "isEco": False, "isPerishable": False, "hasVerticalPhoto": True, "showKitty": False, "bonusProduct": False,
        "badges": _badges(market, design, language), "volumeDiscount": None, "colorPhotoPreview": True,
        "adultCategory": False, "favourite": False,
    }  # fmt: skip
    if year == "2022":
        return _as_kazan_express(data)
    data |= {"disclaimer": None, "fastDeliveryInfo": {"title": ("Ertaga", "Завтра")[language], "badge": None}}
    if year == "2025":
        uz, ru = design.titles
        data |= {"localizableTitle": {"uz": uz, "ru": ru}, "returnsInfo": {"link": "https://uzum.uz/about/return"},
                 "originality": {"isOriginal": design.dice[13] % 4 == 0},
                 "warranty": {"amount": 12} if design.dice[13] % 3 == 0 else None}  # fmt: skip
    return data


def _as_kazan_express(data: Json) -> Json:
    """2022: float prices, a category of its own parents, characteristics without ids (dossier §1.3)."""
    for sku in data["skuList"]:
        sku |= {"fullPrice": None if sku["fullPrice"] is None else float(sku["fullPrice"]),
                "purchasePrice": float(sku["purchasePrice"]), "charityProfit": 0.0}  # fmt: skip
    for characteristic in data["characteristics"]:
        del characteristic["id"], characteristic["titleType"]
    return data


def rating(design: Design, reviews: int) -> float:
    return 0.0 if reviews == 0 else round(3.6 + (design.dice[12] + reviews // 20) % 15 / 10, 1)


def characteristics_of(design: Design, language: int) -> list[Json]:
    """Colour first, then size or memory; SKUs point into these lists by position."""
    found: list[Json] = []
    if design.colours:
        values = [
            {"id": COLOURS[each][0], "title": COLOURS[each][2][language], "value": COLOURS[each][1]}
            for each in design.colours
        ]
        found.append({"id": -1, "title": ("Rang", "Цвет")[language], "titleType": "COLOR", "values": values})
    if design.sizes:
        title = ("Xotira", "Память") if design.sizes[0] in MEMORIES else ("O‘lcham", "Размер")
        values = [
            {"id": 100 + index, "title": each, "value": each} for index, each in enumerate(design.sizes)
        ]
        found.append({"id": -2, "title": title[language], "titleType": None, "values": values})
    return found


def shown_stock(stock: int, cap: int) -> int:
    return min(stock, cap) if cap else stock


def _skus(market: Market, design: Design, language: int, switches: Switches) -> tuple[list[Json], int]:
    price, cap = market.price(design), int(switches["uzum.stock_cap"])
    titles = ("2 kun", "2 дня")
    found, total, capped = [], 0, 0
    for sku in market.visible_skus(design):
        asked, full = market.sku_price(design, sku, price)
        stock = market.stock(design, sku)
        if not stock and design.id % 3 == 1:
            # What is sold out costs nothing, as some sellers write it.
            asked, full = 0, 0
        shown = shown_stock(stock, cap)
        total, capped = total + stock, capped + shown
        found.append({
            "id": sku, "characteristics": sku_positions(design, sku), "availableAmount": shown,
            "fullPrice": full, "charityProfit": 0, "purchasePrice": asked, "barcode": barcode(sku),
            "address": None, "offer": None, "discountBadge": None, "installment": None, "discount": None,
            "productOptionDtos": [{"optionId": 5, "text": f"{asked // 12 + 1} × 12", "type": "UZUM_INSTALLMENT",
                                   "paymentInfo": None, "paymentPerMonth": asked // 12 + 1, "period": 12,
                                   "active": True}],
            "vat": {"type": "VAT0", "vatRate": 0, "vatAmount": 0, "price": asked},
            "stock": {"type": "FBS" if design.is_fbs(sku) else "FBO", "deliveryDays": 2,
                      "deliveryTitle": titles[language]},
            "restriction": None,
        })  # fmt: skip
    sold_out = [each for each in found if not each["availableAmount"]]
    if sold_out and design.id % 3 == 2:
        # A SKU listed twice, as the real API does now and then.
        found.append(dict(sold_out[0]))
    if switches["uzum.broken_positions"] and design.id % 10 == 0 and found:
        found[0]["characteristics"] = [{"charIndex": 0, "valueIndex": 99}]
    return found, capped if switches["uzum.stock_cap_total"] else total


def barcode(sku: int) -> int:
    """Uzum's own, one per SKU; beyond 32 bits."""
    return 1_000_000_000_000 + sku * 10 + sku % 7


def sku_positions(design: Design, sku: int) -> list[dict[str, int]]:
    """Size before colour, as in the recorded bodies: the order says nothing, the indices do."""
    index = sku - design.id * 100 - 1
    positions = []
    if design.sizes:
        positions.append({"charIndex": 1 if design.colours else 0, "valueIndex": index % len(design.sizes)})
    if design.colours:
        positions.append({"charIndex": 0, "valueIndex": index // max(1, len(design.sizes))})
    return positions


def _description(design: Design, title: str, *, control: str) -> str:
    """The real ones break strict JSON parsers and Postgres (dossier §1.3)."""
    tail = {"none": "", "nul": "\x00", "raw": RAW_CHARACTER}[control] if design.id % 10 == 0 else ""
    return f"<p>{title}</p><p>{'Sifatli. ' * (2 + design.dice[14] % 12)}</p>{tail}"


def photo_key(design: Design, index: int) -> str:
    return f"c{design.dice[15]:08x}{design.id:06x}{index}"


def _photos(design: Design) -> list[Json]:
    found = []
    for index in range(1 + design.dice[14] % 3):
        key = photo_key(design, index)
        sizes = {
            size: {
                level: f"https://images.uzum.uz/{key}/t_product_{size}_{level}.jpg"
                for level in ("high", "low")
            }
            for size in _PHOTO_SIZES
        }
        colour = COLOURS[design.colours[index]][1] if index < len(design.colours) else None
        found.append({"photo": sizes, "photoKey": key, "color": colour, "hasVerticalPhoto": True})
    return found


def _badges(market: Market, design: Design, language: int) -> list[Json]:
    price = market.price(design)
    if price.uplift <= 1:
        return []
    return [{"id": 11, "text": ("Aksiya", "Акция")[language], "textColor": "#FFFFFF", "backgroundColor": "#7000FF",
             "description": None, "link": None, "type": "TEXT"}]  # fmt: skip


def seller_body(market: Market, seller: int) -> Json:
    """A seller as it rides on each product; `registrationDate` is in milliseconds."""
    dice = throws(market.seed, "seller", seller)
    orders = market.seller_orders(seller)
    registered = market.date_of(-30 - dice[0] % 1500)
    return {
        "id": seller, "title": f"{('Savdo', 'Bozor', 'Dokon', 'Market')[dice[1] % 4]} {seller}",
        "link": f"shop-{seller}",
        "banner": None, "avatar": None, "description": "Rasmiy do‘kon", "hasCharityProducts": False,
        "registrationDate": milliseconds(registered), "rating": round(4 + dice[2] % 10 / 10, 1), "reviews": orders // 8,
        "orders": orders, "official": dice[3] % 5 == 0, "contacts": [], "categories": [],
        "sellerAccountId": 5_000 + seller,
        "currentCategory": None, "info": None, "filters": [], "appliedFilters": [], "priceFilter": None,
        "totalProducts": 0,
        "parents": [], "products": [],
    }  # fmt: skip


def review_body(market: Market, design: Design, index: int, language: int) -> Json:
    """Review number `index` of a product, counted from the oldest."""
    dice = throws(market.seed, "review", design.id, index)
    made_later = market.new_reviews.get(design.id, ())
    later = index - design.reviews
    day = made_later[later] if later >= 0 else -1 - dice[0] % 300
    review_id = design.id * 10_000 + index
    return {
        "reviewId": review_id, "id": review_id, "productId": design.id,
        "date": milliseconds(market.date_of(day), dice[1] % 15), "edited": dice[2] % 9 == 0,
        "customer": _CUSTOMERS[dice[3] % len(_CUSTOMERS)], "reply": None, "rating": 1 + (dice[4] % 13 + 5) // 4,
        "characteristics": [], "pros": None, "cons": None,
        "content": _REVIEW_TEXTS[dice[5] % len(_REVIEW_TEXTS)][language],
        "photos": [], "status": "PUBLISHED", "amountLike": dice[6] % 5, "amountDislike": 0,
        "isAnonymous": dice[7] % 6 == 0,
    }  # fmt: skip


def reviews_page(market: Market, design: Design, language: int, amount: int, page: int) -> list[Json]:
    """Newest first; an empty list is the end."""
    newest = market.reviews(design) - 1 - page * amount
    return [
        review_body(market, design, each, language) for each in range(newest, max(-1, newest - amount), -1)
    ]


def _top_feedback(market: Market, design: Design, language: int) -> Json | None:
    return review_body(market, design, 0, language) if market.reviews(design) else None


def shop_payload(market: Market, seller: int, language: int) -> Json:
    """A shop page; unlike on a product, `totalProducts` is filled."""
    products = [each for each in market.products_of(seller) if market.exists(each)]
    return seller_body(market, seller) | {
        "totalProducts": len(products), "products": [],
        "categories": [category_chain(market.design(each).department, language) for each in products[:1]],
    }  # fmt: skip
