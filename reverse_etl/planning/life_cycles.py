"""What waits together with a transition that nobody has approved yet, sync after sync of one plan (`transitions`).

Parents are planned before their children. While a parent's options wait, its new children wait (they need the options),
those that left stay, and option values of the others are not written; prices, stock and texts go on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from karvon.warehouse import Session
from reverse_etl.planning.compare import Compared
from reverse_etl.planning.matching import Matches
from reverse_etl.planning.scan import Candidate
from reverse_etl.spec.syncs import Sync
from reverse_etl.state import ledger
from reverse_etl.state.holds import TRANSITION, Hold
from reverse_etl.state.operations import REMOVALS, Finding, Operation


@dataclass
class LifeCycles:
    """The transitions of one plan."""

    waiting: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """Sync → key → message of a transition that waits."""
    approved: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Sync → keys with a transition that goes out with this plan."""
    taken_over: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Sync → keys of rows that left, whose record another row takes over."""
    left: set[str] = field(default_factory=set)
    """Parent records that a child would leave for another parent, if somebody approved it."""

    def note(
        self,
        session: Session,
        sync: Sync,
        holds: Sequence[Hold],
        compared: Sequence[Compared],
        matches: Matches,
    ) -> None:
        """Take in what was judged of a sync."""
        held = {one.key: one.message for one in holds if one.rule == TRANSITION}
        self.waiting[sync.name] |= held
        self.approved[sync.name] |= {one.key for one in compared if one.transition and one.key not in held}
        self.taken_over[sync.name] |= set(matches.successions.values())
        if sync.parent:
            entries = ledger.read(session, sync, list(held)).values()
            self.left |= {one.parent_remote_id for one in entries if one.parent_remote_id}

    def decided_with_parent(self, sync: Sync, compared: Sequence[Compared], matches: Matches) -> None:
        """Who approves that a single gets variants has approved that one of them takes its record over."""
        approved = self.approved[sync.parent.sync] if sync.parent else set()
        for one in compared:
            if one.key in matches.successions and {each.parent_key for each in one.operations} & approved:
                one.transition = None

    def without_waiting(
        self, sync: Sync, candidates: Sequence[Candidate]
    ) -> tuple[list[Candidate], list[Finding]]:
        """Candidates without the new children of parents that wait."""
        parents = self._of_parent(sync)
        told = [
            Finding(
                "deferred",
                sync.name,
                one.key,
                f"it waits with its product: {parents[one.parent_key or '']}",
                cause=TRANSITION,
            )
            for one in candidates
            if one.is_new and one.parent_key in parents
        ]
        keys = {one.key for one in told}
        return [one for one in candidates if one.key not in keys], told

    def withheld(self, sync: Sync, candidates: Sequence[Candidate]) -> dict[str, set[str]]:
        """Fields of children that must not be written before their parent's options are."""
        parents = self._of_parent(sync)
        values = {spec.field for spec in sync.plain_fields if spec.as_ == "sku_values"}
        return {one.key: values for one in candidates if one.parent_key in parents} if values else {}

    def without_staying(
        self, session: Session, sync: Sync, leaving: Sequence[Candidate]
    ) -> tuple[list[Candidate], list[Finding]]:
        """Rows that leave now: not those whose record is taken over, nor children of parents that wait."""
        leaving = [one for one in leaving if one.key not in self.taken_over[sync.name]]
        parents = self._of_parent(sync)
        if not parents or sync.parent is None or not leaving:
            return leaving, []
        below = ledger.parent_keys(session, sync, sync.parent.sync, [one.key for one in leaving])
        told = [
            Finding(
                "deferred",
                sync.name,
                one.key,
                f"it stays until this is approved: {parents[below[one.key]]}",
                cause=TRANSITION,
            )
            for one in leaving
            if below.get(one.key) in parents
        ]
        keys = {one.key for one in told}
        return [one for one in leaving if one.key not in keys], told

    def without_left(self, operations: Sequence[Operation]) -> tuple[list[Operation], list[Finding]]:
        """Operations without removals of records that a child has yet to leave."""
        staying = {
            one.identity
            for one in operations
            if one.action in REMOVALS and one.remote_id in self.left and not one.parent_sync
        }
        message = "it stays until it is approved that its variant moves to another product"
        told = [Finding("deferred", sync, key, message, cause=TRANSITION) for sync, key in sorted(staying)]
        return [one for one in operations if one.identity not in staying], told

    def _of_parent(self, sync: Sync) -> Mapping[str, str]:
        return self.waiting[sync.parent.sync] if sync.parent else {}
