"""Behaviours of Uzum that the dossier calls unknown, contradictory or changed over the years, each a switch."""

from __future__ import annotations

from sandbox.state import Switches

ANSWERS = ("normal", "errors", "errors_429", "empty", "unauthorized", "captcha")


def declare_switches(switches: Switches) -> None:
    """Uzum dossier §1.2 to §1.7."""
    declare = switches.declare
    on_off = (True, False)
    declare("uzum.answer", "normal", choices=ANSWERS,
            help="Of every storefront call: a 200 with errors (also one that says 429), a 200 without a body, "
                 "401, or a redirect to the captcha.")  # fmt: skip
    declare("uzum.missing", "mixed", choices=("mixed", "404", "payload_null", "data_null", "no_title"),
            help="How an id without a product answers; mixed: each id in its own way.")  # fmt: skip
    declare("uzum.body", "2025", choices=("2025", "2024", "2022"),
            help="2024: no localizableTitle, originality, warranty; 2022: as KazanExpress, float prices.")  # fmt: skip
    declare("uzum.language", "uz", choices=("uz", "ru"), help="Language of answers without Accept-Language.")
    declare("uzum.stock_cap", 0, help="availableAmount of a SKU never shows more than this; 0: no cap.")
    declare(
        "uzum.stock_cap_total", False, choices=on_off, help="totalAvailableAmount sums the capped amounts."
    )
    declare("uzum.control_characters", "none", choices=("none", "nul", "raw"),
            help="Every tenth description ends in a NUL, or in a raw control character (no strict JSON).")  # fmt: skip
    declare(
        "uzum.categories_need_token",
        False,
        choices=on_off,
        help="The category tree wants some Authorization.",
    )
    declare("uzum.broken_positions", False, choices=on_off,
            help="The first SKU of every tenth product points at a characteristic value that is missing.")  # fmt: skip
    declare("uzum.latency_ms", 0, help="How long every storefront answer takes.")
    declare(
        "uzum.graphql_partial_errors",
        False,
        choices=on_off,
        help="Search answers hold data and errors together.",
    )
    declare(
        "uzum.seller_replenish_rate",
        200,
        help="Seller API: requests per second that come back to the bucket.",
    )
    declare("uzum.seller_burst", 400, help="Seller API: size of the bucket.")
    declare("uzum.seller_per_day", 100_000, help="Seller API: requests in a day.")
