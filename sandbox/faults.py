"""Faults by rule: what goes wrong, for which requests, how often."""

import re
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

FaultKind = Literal[
    "status",
    "html",
    "truncated",
    "empty_200",
    "redirect",
    "drop_connection",
    "drop_after_processing",
    "cut_answer",
    "delay",
    "delay_answer",
]
CARRIED_OUT = frozenset({"truncated", "drop_after_processing", "cut_answer", "delay_answer"})


@dataclass
class FaultRule:
    """A rule lets `after` matching requests pass, then strikes `times` of them (0: for ever)."""

    id: int
    kind: FaultKind
    vendor: str = ""
    account: str = ""
    method: str = ""
    path: str = ""
    times: int = 1
    after: int = 0
    status: int = 500
    retry_after: float | None = None
    seconds: float = 1.0
    body: Any = None
    location: str = "https://uzum.uz/showcaptcha"
    struck: int = field(default=0)

    def concerns(self, vendor: str, account: str, method: str, path: str) -> bool:
        return (
            self.vendor in ("", vendor)
            and self.account in ("", account)
            and self.method in ("", method)
            and re.search(self.path, path) is not None
        )


class Faults:
    """Rules in the order they were set; the first that strikes decides. Not kept over a restart."""

    def __init__(self) -> None:
        self.rules: list[FaultRule] = []
        self._next_id = 1

    def add(self, wanted: dict[str, Any]) -> FaultRule:
        """`{vendor?, account?, method?, path?, times?, after?, fault: {kind, status?, ...}}`, see `FaultRule`.

        Raises ValueError for an unknown kind or key.
        """
        fault = dict(wanted.get("fault") or {})
        kind = fault.pop("kind", None)
        if kind not in get_args(FaultKind):
            raise ValueError(f"fault.kind must be one of {', '.join(get_args(FaultKind))}, not {kind!r}")
        matching = {key: value for key, value in wanted.items() if key != "fault"}
        unknown = (set(matching) - {"vendor", "account", "method", "path", "times", "after"}) | (
            set(fault) - {"status", "retry_after", "seconds", "body", "location"}
        )
        if unknown:
            raise ValueError(f"unknown in a fault rule: {', '.join(sorted(unknown))}")
        matching["method"] = str(matching.get("method", "")).upper()
        re.compile(str(matching.get("path", "")))
        rule = FaultRule(id=self._next_id, kind=kind, **matching, **fault)
        self._next_id += 1
        self.rules.append(rule)
        return rule

    def strike(self, vendor: str, account: str, method: str, path: str) -> FaultRule | None:
        """The fault that befalls this request, counted as used."""
        for rule in self.rules:
            if rule.concerns(vendor, account, method, path):
                if rule.after > 0:
                    rule.after -= 1
                elif rule.times == 0 or rule.struck < rule.times:
                    rule.struck += 1
                    return rule
        return None

    def clear(self) -> None:
        self.rules.clear()
