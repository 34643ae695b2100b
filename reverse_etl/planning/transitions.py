"""Life-cycles with a name: changes after which a product is another thing in the shop than before.

    single → variants    a single product gets options, or loses all of them
    default              the variant that the shop shows first leaves, or gives way to another one that is there
    moved                a variant belongs to another product now
    successor            a new row takes over the record of one that left (the store cannot delete a SKU)

Each has a line of its own in the plan and waits until a person has approved it; what does not depend on it goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reverse_etl.spec.values import Value

Options = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Transition:
    """One of a row; `field` is what waits, empty for the whole row. `bound_to` is what an approval is given for."""

    message: str
    field: str = ""
    bound_to: Value = None


def of_options(name: str, before: Value, after: Value) -> Transition | None:
    """What a change of a product's options means; values as the view has them, the default's first."""
    was, becomes = before or (), after or ()
    if not was and becomes:
        return Transition(f"a single product becomes one with variants ({_named(becomes)})", name, after)
    if was and not becomes:
        return Transition(f"a product with variants ({_named(was)}) becomes a single one", name, after)
    old, new = _first(was), _first(becomes)
    before_values = _values(was)
    values = _values(becomes)
    # A new value in front of the others, such as a smaller size, leaves the default where it is.
    changed = [
        option
        for option in old
        if option in new
        and old[option] != new[option]
        and (new[option] in before_values[option] or old[option] not in values[option])
    ]
    if not changed:
        return None
    left = [old[option] for option in changed if old[option] not in values[option]]
    to = ", ".join(new[option] for option in changed)
    if left:
        return Transition(
            f"its default variant leaves ({', '.join(left)}), and {to} takes its place", name, after
        )
    from_ = ", ".join(old[option] for option in changed)
    return Transition(f"its default variant changes from {from_} to {to}", name, after)


def _first(options: Options) -> dict[str, str]:
    return {str(one["name"]): str(one["values"][0]) for one in options if one["values"]}


def _values(options: Options) -> dict[str, set[str]]:
    return {str(one["name"]): {str(value) for value in one["values"]} for one in options}


def _named(options: Options) -> str:
    return "; ".join(f"{one['name']}: {', '.join(map(str, one['values'][:5]))}" for one in options)
