"""What of a document is landed where persons may occur: declared paths, at any depth; everything else is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipelines.persons import is_business, is_person, is_pinfl, redacted, without_contacts

Rule = Callable[[Any], Any]
Tree = dict[str, "Rule | Tree"]


@dataclass(frozen=True)
class Kept:
    """Paths that are landed, dotted; lists on the way are walked through. A path ends at scalars or a list of them:
    objects below its end are not landed. `Kept(("id", "items.price"), texts=("items.description",))`."""

    values: tuple[str, ...]
    """As received: numbers, times, codes, words that the source chooses."""
    texts: tuple[str, ...] = ()
    """What people type: landed with phones, addresses, PINFL, card numbers and names masked."""
    parties: tuple[str, ...] = ()
    """Names of businesses; one that shows itself to be a person's is not landed."""
    businesses: tuple[str, ...] = ()
    """Names of persons or businesses: landed only when it says that it is a business."""
    tax_numbers: tuple[str, ...] = ()
    """Landed unless it is a PINFL, which is a person's."""

    def of(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The document as it is landed."""
        return _pruned(document, self._tree)

    @cached_property
    def _tree(self) -> Tree:
        rules: tuple[tuple[tuple[str, ...], Rule], ...] = (
            (self.values, lambda value: value),
            (self.texts, _text),
            (self.parties, _party),
            (self.businesses, _business),
            (self.tax_numbers, lambda value: None if is_pinfl(value) else value),
        )
        tree: Tree = {}
        for paths, rule in rules:
            for path in paths:
                *steps, last = path.split(".")
                place = tree
                for step in steps:
                    below = place.setdefault(step, {})
                    if not isinstance(below, dict):
                        raise ValueError(f"{path} goes on below a path that is kept as it is")
                    place = below
                if last in place:
                    raise ValueError(f"{path} is declared twice")
                place[last] = rule
        return tree


def _text(value: Any) -> Any:
    return redacted(value) if isinstance(value, str) else value


def _party(value: Any) -> Any:
    return None if not isinstance(value, str) or is_person(value) else without_contacts(value)


def _business(value: Any) -> Any:
    return without_contacts(value) if isinstance(value, str) and is_business(value) else None


def _pruned(document: Mapping[str, Any], tree: Tree) -> dict[str, Any]:
    found = {}
    for key, value in document.items():
        rule = tree.get(key)
        if isinstance(rule, dict):
            if (below := _below(value, rule)) is not None:
                found[key] = below
        elif rule is not None and (landed := _leaf(value, rule)) is not None:
            found[key] = landed
    return found


def _below(value: Any, tree: Tree) -> Any:
    if isinstance(value, dict):
        return _pruned(value, tree)
    if isinstance(value, list):
        return [below for one in value if (below := _below(one, tree)) is not None]
    return None


def _leaf(value: Any, rule: Rule) -> Any:
    if isinstance(value, list):
        return [_leaf(one, rule) for one in value if not isinstance(one, (dict, list))]
    return None if isinstance(value, dict) else rule(value)
