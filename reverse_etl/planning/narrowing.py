"""Making a plan smaller: one key, so many rows, or without what was refused before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set

from karvon.warehouse import Session
from reverse_etl.planning.scan import Scan
from reverse_etl.spec.syncs import Sync
from reverse_etl.spec.values import referred
from reverse_etl.state import outstanding
from reverse_etl.state.ledger import keys_of, listed
from reverse_etl.state.operations import Finding, Operation


class UnknownKey(Exception):
    """No sync knows the key."""


def _by_code(code: str, scans: Mapping[str, Scan]) -> str | None:
    """The key of the row that has this value in a field that rows are matched by, such as the SKU code."""
    for scan in scans.values():
        for name in scan.sync.match:
            spec = scan.sync.field(name)
            if spec is not None and (keys := scan.keys_with(spec.column, code)):
                return keys[0]
    return None


def scopes_of(key: str, scans: Mapping[str, Scan]) -> dict[str, list[str]]:
    """`scope_of` in every place that rows go to one by one. Raises `UnknownKey` when none knows the key."""
    scope: dict[str, list[str]] = {}
    unknown: UnknownKey | None = None
    for target in dict.fromkeys(scan.sync.target for scan in scans.values()):
        there = {name: scan for name, scan in scans.items() if scan.sync.target == target}
        try:
            scope |= scope_of(
                key, {name: one for name, one in there.items() if not one.destination.takes_sets}
            )
        except UnknownKey as error:
            unknown = error
    if unknown and not scope:
        raise unknown
    return scope


def scope_of(key: str, scans: Mapping[str, Scan]) -> dict[str, list[str]]:
    """Sync → keys that belong to one row: its children, and what it refers to. Raises `UnknownKey`."""
    owners = [scan for scan in scans.values() if scan.keys_like(key)]
    scope: dict[str, list[str]] = {}
    for scan in owners:
        if not scan.sync.parent:
            for name, keys in _with_relatives(key, scan, scans).items():
                scope[name] = list(dict.fromkeys([*scope.get(name, []), *keys]))
    for scan in owners if not scope else ():
        row = scan.rows([key]).get(key)
        parent = scan.sync.parent
        return scope_of(str(row[parent.column]), scans) if row and parent else {scan.sync.name: [key]}
    if scope:
        return scope
    found = _by_code(key, scans)
    if found is not None:
        return scope_of(found, scans)
    raise UnknownKey(
        f"No sync has a row with the key or the SKU code {key!r}; keys look like '<connection>:<id in the source>'. "
        "A product with variants goes by the SKU of one of them."
    )


def _with_relatives(key: str, scan: Scan, scans: Mapping[str, Scan]) -> dict[str, list[str]]:
    scope = {scan.sync.name: scan.keys_like(key)}
    row = scan.rows([key]).get(key)
    for name, keys in referred(scan.sync.plain_fields, [row] if row else []).items():
        scope.setdefault(name, []).extend(sorted(keys))
    for child in scans.values():
        if child.parent == scan.sync:
            scope[child.sync.name] = _children(key, child)
    return scope


def _children(key: str, child: Scan) -> list[str]:
    """In the model, or in the ledger below the same parent record."""
    in_model = [row["key"] for row in child.children_of([key], child.sync.key)]
    in_ledger = child.session.rows(
        """SELECT c.key FROM reverse_etl.ledger AS c JOIN reverse_etl.ledger AS p
           ON p.destination = c.destination AND p.connection = c.connection AND p.remote_id = c.parent_remote_id
           WHERE c.destination = $1 AND c.connection = $2 AND c.sync = $3 AND p.key = $4""",
        (*child.sync.target, child.sync.name, key),
    )
    return sorted({*in_model, *(row["key"] for row in in_ledger)})


def cut(operations: Sequence[Operation], syncs: Sequence[Sync], limit: int) -> list[Operation]:
    """The first `limit` rows with their children, and of what others refer to only what they need or what fits."""
    target = {sync.name: sync.target for sync in syncs}
    referred = {
        name
        for sync in syncs
        for name in sync.refers_to
        if target.get(name) == sync.target and not (sync.parent and name == sync.parent.sync)
    }
    # A set is whole or nothing.
    operations = [one for one in operations if not one.is_set]
    roots = list(dict.fromkeys(root_of(one) for one in operations if one.sync not in referred))
    chosen = set(roots[:limit])
    while more := _needed(operations, chosen) - chosen:
        chosen |= more
    spare = list(dict.fromkeys(one.identity for one in operations if one.sync in referred))
    room = max(0, limit - len(set(roots[:limit])))
    chosen |= set([one for one in spare if one not in chosen][:room])
    return [one for one in operations if root_of(one) in chosen]


def _needed(operations: Sequence[Operation], chosen: Set[tuple[str, str]]) -> set[tuple[str, str]]:
    """What the operations of the chosen rows refer to."""
    return {
        (symbol["sync"], key)
        for one in operations
        if root_of(one) in chosen
        for value in one.payload.get("fieldData", {}).values()
        if isinstance(value, Mapping) and isinstance(symbol := value.get("$references"), Mapping)
        for key in symbol["keys"]
    }


def root_of(operation: Operation) -> tuple[str, str]:
    """The row that stands and falls with it: its parent's, or its own."""
    if operation.parent_sync and operation.parent_key:
        return operation.parent_sync, operation.parent_key
    return operation.identity


def without_failed(
    session: Session, operations: Sequence[Operation]
) -> tuple[list[Operation], list[Finding]]:
    """Leave out what the destination refused for good with the same payload, and what hangs on it."""
    refused = _refused(session, operations)
    if not refused:
        return list(operations), []
    findings = [
        Finding(
            "refused",
            one.sync,
            one.key,
            f"{failure}; `karvon errors --retry` tries again",
            cause=outstanding.STOCK if one.is_stock else outstanding.ROW,
        )
        for one in operations
        if (failure := refused.get((one.sync, one.key, one.payload_hash)))
    ]
    dropped = {(finding.sync, finding.key) for finding in findings}
    kept = [
        one
        for one in operations
        if (one.sync, one.key, one.payload_hash) not in refused
        and not (one.remote_id is None and {one.identity, root_of(one)} & dropped)
    ]
    return kept, findings


def capped(operations: Sequence[Operation], syncs: Sequence[Sync]) -> tuple[list[Operation], list[Finding]]:
    """At most as many calls per sync as its `cap` allows; one finding tells what waits."""
    caps = {sync.name: sync.cap for sync in syncs if sync.cap}
    taken: Counter[str] = Counter(one.sync for one in operations)
    findings = [
        Finding(
            "deferred",
            name,
            "",
            f"{taken[name] - cap} of {taken[name]} calls go later: the cap is {cap} a run",
        )
        for name, cap in caps.items()
        if taken[name] > cap
    ]
    kept: list[Operation] = []
    seen: Counter[str] = Counter()
    for one in operations:
        seen[one.sync] += 1
        if seen[one.sync] <= caps.get(one.sync, seen[one.sync]):
            kept.append(one)
    return kept, findings


def _refused(session: Session, operations: Sequence[Operation]) -> dict[tuple[str, str, str], str]:
    """(sync, key, payload hash) of each key's last permanent failure → the error."""
    refused: dict[tuple[str, str, str], str] = {}
    for sync in {one.sync for one in operations}:
        keys = sorted({one.key for one in operations if one.sync == sync})
        last = {
            row["key"]: row
            for row in session.rows(
                "SELECT key, payload_hash, error FROM reverse_etl.operations WHERE sync = $1 AND status = 'failed' "
                f"AND is_permanent AND key IN {listed(2)} ORDER BY answered_at",
                (sync, keys_of(keys)),
            )
        }
        refused |= {(sync, key, row["payload_hash"]): row["error"] or "refused" for key, row in last.items()}
    return refused
