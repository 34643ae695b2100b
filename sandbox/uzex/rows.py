"""The rows of the lists (dossier §2.4). Each function gives one row without `rn` and `total_count`."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from sandbox.uzex.exchange import Exchange, Lot
from sandbox.uzex.subject import Subject, subject_of, typed_by_buyer
from sandbox.uzex.things import REGIONS, RU, category_id, category_name

Json = dict[str, Any]
_TREASURY = ("Не отправлен", "На регистрации", "Зарегистрирован")


_STATUSES = {
    "Оплачена": ("Toʻlangan", "Тўланган"), "Поставлена": ("Yetkazib berilgan", "Етказиб берилган"),
    "Новая": ("Yangi", "Янги"), "Отклонена": ("Rad etilgan", "Ғолиб томонидан рад этилган"),
    "Отменена": ("Bekor qilingan", "Бекор қилинган"), "На согласовании": ("Kelishuvda", "Келишувда"),
    "Заключен договор": ("Shartnoma tuzilgan", "Ғолиб томонидан қабул қилинган (Амалга ошган)"),
    "Совершен": ("Yakunlangan", "Бажарилган"),
}  # fmt: skip


def said(lot: Lot, status: str) -> str:
    """A status in Russian, Uzbek or Uzbek Cyrillic: as the procedure was entered, whatever language is asked for."""
    return (status, *_STATUSES.get(status, (status, status)))[lot.number % 3]


def moment(exchange: Exchange, day: int, draw: int, hour: int = 9) -> datetime:
    """Local time of Tashkent, without a zone."""
    return datetime.combine(exchange.date_of(day), time(hour)) + timedelta(seconds=draw % 28_800)


def end_of(exchange: Exchange, lot: Lot) -> str:
    return iso(datetime.combine(exchange.date_of(lot.ends), time(9)) + timedelta(seconds=lot.second))


def iso(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S")


def display_no(exchange: Exchange, lot: Lot, procedure: str, is_budget: bool) -> str:
    """Year, 11 (budget) or 12 (corporate), procedure, internal id."""
    return f"{exchange.date_of(lot.opened):%y}{11 if is_budget else 12}{procedure}{lot.id}"


def treasury_on(day: int, lot: Lot, subject: Subject) -> int:
    """0 not sent, 1 being registered, 2 paid: it moves for days after the deal, and one in ten is never paid."""
    age = day - lot.ends
    if age < 1:
        return 0
    return 1 if age < 2 + subject.dice[8] % 12 or subject.dice[10] % 10 == 0 else 2


def treasury(exchange: Exchange, lot: Lot, subject: Subject) -> tuple[int, str, str, str | None]:
    """Status id, its name, payment, created at."""
    status = treasury_on(exchange.day, lot, subject)
    created = iso(moment(exchange, lot.ends + 1, subject.dice[9])) if status else None
    return status, _TREASURY[status], "Оплачен" if status == 2 else "Не оплачен", created


def auction_deal(exchange: Exchange, lot: Lot, language: int) -> Json:
    subject = subject_of(exchange, lot)
    status_id, status, paid, created = treasury(exchange, lot, subject)
    return {
        "lot_id": lot.id, "lot_display_no": display_no(exchange, lot, "1007", subject.is_budget),
        "lot_start_date": iso(moment(exchange, lot.opened, subject.dice[12])),
        "lot_end_date": end_of(exchange, lot),
        "deal_date": end_of(exchange, lot), "deal_id": lot.deal_id,
        "category_name": category_name(subject.category, language), "start_cost": float(subject.start_cost),
        "deal_cost": float(subject.deal_cost), "pcp_count": float(subject.steps), "customer_inn": subject.buyer.inn,
        "customer_name": subject.buyer.name, "customer_region": None, "provider_inn": subject.supplier.inn,
        "provider_name": subject.supplier.name, "currency_name": None, "beneficiary": None, "founder": None,
        "is_budget": int(subject.is_budget), "type_name": "Бюджет" if subject.is_budget else "Корпоратив",
        "kazna_status_id": status_id, "kazna_status": status, "kazna_payment_status": paid,
        "kazna_created_date": created, "deal_status_name": None,
    }  # fmt: skip


def auction_lot(exchange: Exchange, lot: Lot, language: int) -> Json:
    """An open auction: the subject stands only in its detail."""
    subject = subject_of(exchange, lot)
    return {
        "id": lot.id, "display_no": display_no(exchange, lot, "1007", subject.is_budget),
        "customer_type": "Бюджет" if subject.is_budget else "Корпоратив",
        "category_name": category_name(subject.category, language),
        "region_name": REGIONS[subject.buyer.region][language],
        "district_name": None, "start_cost": float(subject.start_cost),
        "min_cost": float(subject.start_cost * 65 // 100),
        "currency_id": 1, "end_date": end_of(exchange, lot),
    }  # fmt: skip


def failed_auction(exchange: Exchange, lot: Lot, language: int) -> Json:
    row = auction_deal(exchange, lot, language)
    kept = ("lot_id", "lot_display_no", "lot_start_date", "lot_end_date", "category_name", "start_cost",
            "customer_inn", "customer_name", "is_budget", "type_name")  # fmt: skip
    return {name: row[name] for name in kept}


def shop_deal(exchange: Exchange, lot: Lot, language: int) -> Json:
    """E-shop and national shop; `deal_status_name` moves with the days."""
    subject = subject_of(exchange, lot)
    item = subject.items[0]
    _, _, paid, _ = treasury(exchange, lot, subject)
    age = exchange.day - lot.ends
    return {
        "lot_id": lot.id, "deal_id": lot.deal_id, "lot_display_no": display_no(exchange, lot, "0001",
                                                                               subject.is_budget),
        "product_name": item.good.names[language], "product_code": item.good.code,
        "category_name": category_name(subject.category, language), "condition": "Новый", "amount": item.quantity,
        "measure_name": item.good.unit, "start_cost": float(subject.start_cost), "deal_cost": float(subject.deal_cost),
        "pcp_count": subject.steps, "customer_name": subject.buyer.name, "customer_inn": subject.buyer.inn,
        "customer_region_name": REGIONS[subject.buyer.region][language], "provider_name": subject.supplier.name,
        "provider_inn": subject.supplier.inn, "provider_region_name": REGIONS[subject.supplier.region][language],
        "deal_date": end_of(exchange, lot),
        "deal_status_name": said(lot, "Оплачена" if paid == "Оплачен" else "Поставлена" if age > 1 else "Новая"),
        "kazna_payment_status": paid, "display_on_shop": int(lot.kind == "shop"),
        "display_on_national": int(lot.kind == "national" or exchange.is_in_both_shops(lot)),
    }  # fmt: skip


def shop_lot(exchange: Exchange, lot: Lot, language: int) -> Json:
    """An open request; its key is `id` here, and `lot_id` once it is a deal."""
    subject = subject_of(exchange, lot)
    item = subject.items[0]
    return {
        "id": lot.id, "start_date": iso(moment(exchange, lot.opened, subject.dice[12])),
        "end_date": end_of(exchange, lot), "pcp_count": subject.steps,
        "product_name": item.good.names[language], "category_name": category_name(subject.category, language),
        "cost": float(item.quantity * item.start_price), "price": float(item.start_price), "amount": item.quantity,
    }  # fmt: skip


def offer(exchange: Exchange, lot: Lot, language: int) -> Json:
    """The catalogue of the e-shop; dates are American here."""
    subject = subject_of(exchange, lot)
    item = subject.items[0]
    return {
        "id": lot.id, "display_no": f"SO{lot.id}", "product_code": item.good.code,
        "product_name": item.good.names[language],
        "price": float(item.start_price), "amount": item.quantity * 10, "unit_name": item.good.unit,
        "currency_name": "UZS",
        "category_id": category_id(subject.category), "producer_country_name": "Узбекистан",
        "date_ini": moment(exchange, lot.opened, subject.dice[12]).strftime("%m/%d/%Y %H:%M:%S"),
        "file_id": None, "file_name": None,
    }  # fmt: skip


def competition(exchange: Exchange, lot: Lot, language: int) -> Json:
    subject = subject_of(exchange, lot)
    return {
        "id": lot.id, "end_date_submitting_offers": end_of(exchange, lot),
        "customer_region_name": REGIONS[subject.buyer.region][language], "customer_district_name": None,
        "category_name": category_name(subject.category, language), "cost": float(subject.start_cost),
        "currency_name": "Доллар" if subject.is_foreign else "Сум",
    }  # fmt: skip


def direct_purchase(exchange: Exchange, lot: Lot, language: int) -> Json:
    subject = subject_of(exchange, lot)
    return {
        "id": lot.id, "display_id": display_no(exchange, lot, "0099", subject.is_budget),
        "category_name": category_name(subject.category, language), "provider_name": subject.supplier.name,
        "provider_inn": subject.supplier.inn, "customer_name": subject.buyer.name, "customer_inn": subject.buyer.inn,
        "customer_type": "Бюджет" if subject.is_budget else "Корпоратив", "contract_sum": float(subject.start_cost),
        "currency_name": "Доллар" if subject.is_foreign else "Сум", "contract_num": f"{subject.dice[14] % 900 + 1}-D",
        "contract_date": iso(moment(exchange, lot.ends, 0, 0)), "typ_direct_purchase_name": "Единственный поставщик",
        "status_name": "Зарегистрирован" if exchange.day - lot.ends > 2 else "Новый", "decree_name": None,
        "has_details_extra": 0, "has_discussion_protocol": 0, "date_ini": iso(moment(exchange, lot.opened,
                                                                                     subject.dice[12])),
    }  # fmt: skip


def plan(exchange: Exchange, lot: Lot, language: int) -> Json:
    subject = subject_of(exchange, lot)
    return {"id": lot.id, "customer_name": subject.buyer.name, "customer_inn": subject.buyer.inn, "year": 2022,
            "category_name": category_name(subject.category, language), "cost": float(subject.start_cost)}  # fmt: skip


def etender_open(exchange: Exchange, lot: Lot, language: int) -> Json:
    """The `seller_…` fields are the buyer."""
    subject = subject_of(exchange, lot)
    start = moment(exchange, lot.opened, subject.dice[12])
    return {
        "id": lot.id, "display_no": display_no(exchange, lot, "0012", subject.is_budget),
        "name": typed_by_buyer(lot, subject.items[0], language), "start_date": iso(start),
        "end_date": end_of(exchange, lot), "clarific_date": iso(start + timedelta(days=2)),
        "cost": float(subject.start_cost), "seller_id": 1 + subject.dice[1] % 9_000, "seller_name": subject.buyer.name,
        "seller_tin": subject.buyer.inn, "region_name": REGIONS[subject.buyer.region][language], "district_name": None,
        "category_name": None, "currency_id": 2 if subject.is_foreign else 1,
        "currency_name": "Доллар" if subject.is_foreign else "Сум",
        "currency_codeabc": "USD" if subject.is_foreign else "UZS",
    }  # fmt: skip


def etender_deal(exchange: Exchange, lot: Lot, language: int) -> Json:
    """One in five is rejected or cancelled later, one in ten says what nobody knows: a row is not a win.

    `category_name` is really the subject."""
    subject = subject_of(exchange, lot)
    status_id, status, _, _ = treasury(exchange, lot, subject)
    deal_status = {0: "Отклонена", 1: "Отменена", 2: "Код 17"}.get(subject.dice[15] % 10, "Заключен договор")
    if exchange.day - lot.ends < 2:
        deal_status = "На согласовании"
    return {
        "deal_date": end_of(exchange, lot), "deal_id": lot.deal_id, "trade_id": lot.id,
        "display_no": display_no(exchange, lot, "0012", subject.is_budget), "start_cost": float(subject.start_cost),
        "deal_cost": float(subject.deal_cost), "currency_name": "Доллар" if subject.is_foreign else "Сум",
        "participants_count": 2 + subject.dice[14] % 5, "customer_name": subject.buyer.name,
        "customer_type_name": "Бюджет" if subject.is_budget else "Корпоратив", "customer_inn": subject.buyer.inn,
        "provider_name": subject.supplier.name, "provider_inn": subject.supplier.inn,
        "deal_status_name": said(lot, deal_status),
        "proposal_status_name": "Принято" if deal_status == "Заключен договор" else None, "deal_contract_date": None,
        "deal_contract_status_name": None, "deal_contract_kazna_status_name": status,
        "deal_contract_kazna_status_id": status_id, "category_name": typed_by_buyer(lot, subject.items[0], language),
        "is_local_manufacturs": subject.dice[14] % 2, "beneficiary": None, "founder": None,
        "contract_file_id": None, "additional_protocol_file_id": None,
    }  # fmt: skip


def etender_failed(exchange: Exchange, lot: Lot, language: int) -> Json:
    row = etender_open(exchange, lot, language)
    return {"trade_id": lot.id, "display_no": row["display_no"], "start_cost": row["cost"], "end_date": row["end_date"],
            "currency_name": row["currency_name"], "customer_name": row["seller_name"],
            "customer_inn": row["seller_tin"],
            "category_name": row["name"], "status_name": "Не состоялся"}  # fmt: skip


def civil_contract(exchange: Exchange, lot: Lot, _language: int) -> Json:
    subject = subject_of(exchange, lot)
    return {"civil_contract_id": lot.id, "display_no": display_no(exchange, lot, "0500", subject.is_budget),
            "subject": subject.items[0].good.names[RU], "cost": float(subject.start_cost),
            "contract_date": end_of(exchange, lot), "customer_name": subject.buyer.name,
            "customer_inn": subject.buyer.inn}  # fmt: skip
