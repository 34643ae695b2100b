"""What a record of a user's API can be for us, and which fields it then has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Entity = Literal["lead", "customer", "order"]
FieldType = Literal["text", "email", "phone", "status", "timestamp", "amount", "currency"]


@dataclass(frozen=True)
class Field:
    """One field of ours. A record without a required one is rejected with that reason."""

    type: FieldType
    required: bool = False
    choices: tuple[str, ...] = ()
    """What a status can be; theirs are mapped to ours by the field's `map`."""


ENTITIES: Mapping[Entity, Mapping[str, Field]] = {
    "lead": {
        "created_at": Field("timestamp", required=True),
        "updated_at": Field("timestamp"),
        "email": Field("email"),
        "phone": Field("phone"),
        "name": Field("text"),
        "status": Field("status", choices=("new", "qualified", "converted", "lost")),
        "campaign": Field("text"),
        "cost_amount": Field("amount"),
        "currency": Field("currency"),
        "customer_key": Field("text"),
    },
    "customer": {
        "created_at": Field("timestamp", required=True),
        "updated_at": Field("timestamp"),
        "email": Field("email"),
        "phone": Field("phone"),
        "name": Field("text"),
        "status": Field("status", choices=("active", "inactive", "blocked")),
    },
    "order": {
        "ordered_at": Field("timestamp", required=True),
        "updated_at": Field("timestamp"),
        "customer_key": Field("text"),
        "email": Field("email"),
        "status": Field(
            "status", required=True, choices=("pending", "paid", "cancelled", "refunded", "partly_refunded")
        ),
        "gross_amount": Field("amount", required=True),
        "refunded_amount": Field("amount"),
        "refunded_at": Field("timestamp"),
        "currency": Field("currency", required=True),
    },
}
"""`customer_key` is the customer's key in the same source, or in the one that `links_to` names."""
