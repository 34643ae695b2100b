"""The details of one procedure, and the items of an auction (dossier §2.4)."""

from __future__ import annotations

import random
from typing import Any

import orjson

from sandbox.uzex import rows
from sandbox.uzex.exchange import Exchange, Lot
from sandbox.uzex.subject import Item, Subject, subject_of, typed_by_buyer
from sandbox.uzex.things import category_name, person_of

Json = dict[str, Any]


def description_of(exchange: Exchange, lot: Lot, item: Item, language: int) -> str:
    """One procedure in 25 has a NUL in its text, which Postgres refuses."""
    has_nul = exchange.has_nul_characters and lot.number % 25 == 0
    return typed_by_buyer(lot, item, language) + ("\x00 (см. файл)" if has_nul else "")


def _properties(item: Item, number_key: str) -> list[Json]:
    return [
        {
            "property_name": "Единица измерения",
            "user_value": item.good.unit,
            "user_value_id": None,
            number_key: 1,
        },
        {"property_name": "Код товара", "user_value": item.good.code, "user_value_id": None, number_key: 2},
    ]


def auction_items(exchange: Exchange, lot: Lot, language: int) -> list[Json]:
    """Unordered; the name is null and the text stands in `description`; the unit is a property."""
    subject = subject_of(exchange, lot)
    found: list[Json] = [
        {
            "order_num": order, "product_name": None, "description": description_of(exchange, lot, item, language),
            "quantity": float(item.quantity), "price": float(item.price), "cost": float(item.cost),
            "country_name": "Узбекистан",
            "currency_name": "Сом", "js_properties": _properties(item, "pnum"),
        }
        for order, item in enumerate(subject.items, 1)
    ]  # fmt: skip
    random.Random(lot.number).shuffle(found)
    return found


def auction_lot(exchange: Exchange, lot: Lot, language: int) -> Json:
    subject = subject_of(exchange, lot)
    items = [
        {"product_name": item.good.names[language], "amount": item.quantity, "measure_name": item.good.unit,
         "price": float(item.start_price), "product_code": item.good.code} for item in subject.items
    ]  # fmt: skip
    return rows.auction_lot(exchange, lot, language) | {
        "customer_name": subject.buyer.name, "start_date": rows.iso(rows.moment(exchange, lot.opened,
                                                                                subject.dice[12])),
        "description": description_of(exchange, lot, subject.items[0], language),
        "delivery_days": 5 + subject.dice[14] % 20,
        "phone": person_of(lot.number).phone, "email": person_of(lot.number).email, "js_details": items,
        "js_conditions": [{"condition_name": "Доставка за счёт поставщика"}],
    }  # fmt: skip


def shop_lot(exchange: Exchange, lot: Lot, language: int) -> Json:
    subject = subject_of(exchange, lot)
    item = subject.items[0]
    ended = lot.ends <= exchange.day
    return {
        "category_name": category_name(subject.category, language), "product_name": item.good.names[language],
        "product_code": item.good.code, "condition": description_of(exchange, lot, item, language),
        "price": float(item.start_price), "lot_amount": item.quantity,
        "lot_start_date": rows.iso(rows.moment(exchange, lot.opened, subject.dice[12])),
        "lot_end_date": rows.end_of(exchange, lot),
        "lot_status_name": "Завершен" if ended else "Активный", "min_delivery_amount": 1,
        "max_delivery_amount": item.quantity,
        "delivery_term": 5, "delivery_term_period_name": "день", "guarantee_period": 12,
        "guarantee_period_name": "месяц",
        "shelf_life": None, "shelf_life_name": None, "is_licensed": 0, "license_id": None, "manufacturer_name": "Artel",
        "mark_name": None, "producer_country_name": "Узбекистан", "offer_display_no": f"SO{27_085_000 + lot.number}",
        "status_name": "Завершен" if ended else "Активный", "start_date": rows.iso(rows.moment(exchange,
                                                                                               lot.opened,
                                                                                               subject.dice[12])),
    }  # fmt: skip


def _winner(subject: Subject, lot: Lot) -> Json:
    """As the portal names one: `fullname` holds a company, or the person who signed for it."""
    person = person_of(lot.number)
    return {
        "id": 12_000 + lot.number, "fullname": person.name if lot.number % 2 else subject.supplier.name,
        "inn": subject.supplier.inn or str(400_000_000 + lot.number), "pinfl": person.pinfl, "job_title": "direktor",
        "director_name": person.name, "director_phone": person.phone,
    }  # fmt: skip


def competition(exchange: Exchange, lot: Lot, language: int) -> Json:
    """Winners come as objects and, the same, as JSON in a string; persons stand in both, and in what people typed."""
    subject = subject_of(exchange, lot)
    winners = [_winner(subject, lot)] if lot.ends <= exchange.day else []
    person = person_of(lot.number + 1)
    return {
        "id": lot.id, "start_date": rows.iso(rows.moment(exchange, lot.opened, subject.dice[12])),
        "end_date_submitting_offers": rows.end_of(exchange, lot),
        "cost": float(subject.start_cost), "currency_name": "Доллар" if subject.is_foreign else "Сум",
        "customer_name": subject.buyer.name, "customer_inn": subject.buyer.inn, "customer_address": "Toshkent",
        "customer_phone": f"{person.phone} (000)",
        "organizer_name": f"Bosh mutaxassis {person.name} {person.phone.removeprefix('+998')} brb",
        "status_name": rows.said(lot, "Совершен") if winners else "Прием предложений",
        "competition_description": description_of(exchange, lot, subject.items[0], language)
        + f". Mas’ul: {person.name}, {person.phone}",
        "delivery_address": "Toshkent, Namuna ko‘chasi 7",
        "delivery_days": 10, "js_details": _lines(subject, language, "p_num"), "js_files": [],
        "winners_ids": winners, "winners_id": orjson.dumps(winners).decode(),
    }  # fmt: skip


def direct_purchase(exchange: Exchange, lot: Lot, language: int) -> Json:
    subject = subject_of(exchange, lot)
    return rows.direct_purchase(exchange, lot, language) | {
        "description_text": description_of(exchange, lot, subject.items[0], language)
        + f" (исполнитель {person_of(lot.number).name}, {person_of(lot.number).email})", "delivery_days": 15,
        "customer_address": "Toshkent", "js_details": _lines(subject, language, "p_num"), "js_contract_files": [],
    }  # fmt: skip


def _lines(subject: Subject, language: int, number_key: str) -> list[Json]:
    return [
        {
            "order_num": order, "product_name": item.good.names[language], "description": item.good.names[language],
            "product_code": item.good.code, "quantity": item.quantity, "unit_name": item.good.unit,
            "price": float(item.start_price), "cost": float(item.quantity * item.start_price), "currency_name": "Сум",
            "js_properties": _properties(item, number_key),
        }
        for order, item in enumerate(subject.items, 1)
    ]  # fmt: skip


def etender_trade(exchange: Exchange, lot: Lot, language: int) -> Json:
    """`budget_products` is JSON inside a string; corporate procedures have `products` instead, the others null."""
    subject = subject_of(exchange, lot)
    products = [
        {"Id": lot.id * 10 + order, "Order_Num": order, "Category_Name": category_name(subject.category, language),
         "Product_Id": lot.id * 10 + order, "Product_Name": item.good.names[language], "Product_Code": item.good.code,
         "Quantity": item.quantity, "Price": float(item.start_price), "Cost": float(item.quantity * item.start_price),
         "Description": f"{description_of(exchange, lot, item, language)}, tel. {person_of(lot.number).phone}",
         "Js_Properties": _properties(item, "pnum")}
        for order, item in enumerate(subject.items, 1)
    ]  # fmt: skip
    row = rows.etender_open(exchange, lot, language)
    return {
        "id": lot.id, "display_no": row["display_no"], "type_name": trade_type(subject),
        "start_date": row["start_date"],
        "end_date": row["end_date"], "start_cost": row["cost"], "customer_name": row["seller_name"],
        "customer_tin": row["seller_tin"], "status_name": "Активный" if lot.ends > exchange.day else "Завершен",
        "currency_name": row["currency_name"],
        "contacts": [{"name": person_of(lot.number).name, "phone": person_of(lot.number).phone}],
        "js_fields": [], "budget_products": orjson.dumps(products).decode() if subject.is_budget else None,
        "products": None if subject.is_budget else products,
    }  # fmt: skip


def trade_type(subject: Subject) -> str:
    return "Тендер" if subject.dice[14] % 2 else "Отбор"
