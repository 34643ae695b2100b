"""What of UZEX's answers is landed (dossier §2.4). Buyers' and suppliers' people stand in its details, nested and in
free text: nothing that is not named here is kept. Files, addresses and contacts are among what is not."""

from pipelines.kept import Kept

_DATES = (
    "lot_start_date", "lot_end_date", "deal_date", "contract_date", "deal_contract_date", "date_ini", "start_date",
    "end_date", "clarific_date", "published_date", "start_date_submitting_offers", "end_date_submitting_offers",
    "date_of_opening_offers", "kazna_created_date",
)  # fmt: skip
_NUMBERS = (
    "id", "lot_id", "deal_id", "trade_id", "lot_display_no", "display_no", "display_id", "offer_display_no",
    "category_id", "currency_id", "status_id", "kazna_status_id", "deal_contract_kazna_status_id", "winner_id",
    "product_code",
)  # fmt: skip
_MONEY = (
    "start_cost",
    "min_cost",
    "deal_cost",
    "contract_sum",
    "cost",
    "price",
    "amount",
    "lot_amount",
    "quantity",
)
_WORDS = (
    "currency_name", "currency_codeabc", "measure", "measure_name", "unit_name", "country_name",
    "producer_country_name",
    "customer_region", "customer_region_name", "customer_district_name", "provider_region_name", "region_name",
    "district_name", "customer_type", "customer_type_name", "type_name", "typ_direct_purchase_name",
    "deal_status_name", "status_name", "lot_status_name", "trade_status_name", "proposal_status_name",
    "deal_contract_status_name", "kazna_status", "kazna_payment_status", "deal_contract_kazna_status_name",
)  # fmt: skip
_COUNTS = (
    "pcp_count", "participants_count", "is_budget", "is_local_manufacturs", "display_on_shop", "display_on_national",
    "has_details_extra", "has_discussion_protocol", "delivery_days", "delivery_term", "delivery_term_period_name",
    "min_delivery_amount", "max_delivery_amount", "guarantee_period", "guarantee_period_name", "shelf_life",
    "shelf_life_name", "is_licensed", "is_missing",
)  # fmt: skip
_TYPED = ("category_name", "product_name", "name", "mark_name", "manufacturer_name", "decree_name", "condition",
          "contract_num")  # fmt: skip
"""Buyers type these: `category_name` is the subject in some lists."""
_PARTIES = ("customer_name", "provider_name", "seller_name")
_TAX_NUMBERS = ("customer_inn", "customer_tin", "provider_inn", "seller_tin")

_ITEMS = ("items", "js_details", "products", "budget_products")
_PROPERTIES = ("js_properties", "Js_Properties")
_WINNERS = ("winners_ids", "winners_id")


def _below(parents: tuple[str, ...], *names: str) -> tuple[str, ...]:
    return tuple(f"{parent}.{name}" for parent in parents for name in names)


def _properties(*names: str) -> tuple[str, ...]:
    return _below(_below(_ITEMS, *_PROPERTIES), *names)


ROWS = Kept(
    values=_DATES + _NUMBERS + _MONEY + _WORDS + _COUNTS,
    texts=_TYPED,
    parties=_PARTIES,
    tax_numbers=_TAX_NUMBERS,
)
"""Of a row of a list."""

DETAILS = Kept(
    values=(
        *ROWS.values,
        *_below(
            _ITEMS,
            "order_num",
            "Order_Num",
            "id",
            "Id",
            "product_code",
            "Product_Code",
            "quantity",
            "Quantity",
        ),
        *_below(
            _ITEMS, "amount", "price", "Price", "cost", "Cost", "unit_name", "measure_name", "currency_name"
        ),
        *_below(_ITEMS, "country_name"),
        *_properties("property_name", "pnum", "p_num"),
        *_below(_WINNERS, "id", "provider_id", "cost", "price"),
    ),
    texts=(
        *_TYPED,
        *_below(
            _ITEMS,
            "product_name",
            "Product_Name",
            "category_name",
            "Category_Name",
            "description",
            "Description",
        ),
        *_properties("user_value"),
    ),
    parties=_PARTIES,
    businesses=_below(_WINNERS, "fullname", "full_name", "name", "winner_name", "provider_name"),
    tax_numbers=_TAX_NUMBERS + _below(_WINNERS, "inn", "tin", "winner_inn", "provider_inn"),
)
"""Of a detail: its items with their properties, and winners, who are companies and persons."""
