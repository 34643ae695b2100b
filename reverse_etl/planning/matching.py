"""Finding what is in the shop already for rows that the ledger does not know.

By the sync's `match` fields in order; a parent is found through any of its children too. Exactly one record that
nobody else claims is adopted; anything else is reported and left alone, and never created a second time.

A name or a slug only suggests that two things are the same (`LIKENESS`): such an adoption waits for a person, and a
record whose codes say otherwise is never adopted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from karvon.warehouse import Session
from reverse_etl.planning.scan import Candidate, Scan
from reverse_etl.spec.values import WrongValue
from reverse_etl.state import ledger
from reverse_etl.state.ledger import claimed
from reverse_etl.state.operations import Finding

LIKENESS = frozenset({"name", "slug"})
"""Fields that two different things can share."""


@dataclass
class Matches:
    """Adoptable records by our key (remote id, remote parent), and the keys that must be left alone."""

    found: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    ambiguous: dict[str, str] = field(default_factory=dict)
    likely: dict[str, str] = field(default_factory=dict)
    """Key → what suggests the record, where that is no proof."""
    successions: dict[str, str] = field(default_factory=dict)
    """Key → the row of ours, gone from the model, whose record it takes over."""

    def findings(self, sync: str) -> list[Finding]:
        return [Finding("ambiguous", sync, key, message) for key, message in sorted(self.ambiguous.items())]

    def refuse(self, key: str, message: str) -> None:
        self.found.pop(key, None)
        self.ambiguous[key] = message


_Hits = Mapping[str, Mapping[str, set[tuple[str, str | None]]]]
"""Field → normalised value → records."""


def match_roots(session: Session, scan: Scan, child: Scan | None, new: Sequence[Candidate]) -> Matches:
    """Match rows without parents, through their children's values where the sync does not have the field."""
    matches = Matches()
    keys = [candidate.key for candidate in new]
    if not keys or not scan.sync.match or not scan.mirror.exists:
        return matches
    own = _own_values(scan, keys)
    through = _values_through(scan, child, keys)
    hits = _hits(scan, own.values())
    child_hits = _hits(child, through.values()) if child else {}
    for key in keys:
        for name in scan.sync.match:
            records: set[tuple[str, str | None]]
            if name in through.get(key, {}):
                records = {
                    (parent, None)
                    for value in through[key][name]
                    for _, parent in child_hits.get(name, {}).get(value, ())
                    if parent
                }
            else:
                records = set().union(
                    *(hits.get(name, {}).get(value, set()) for value in own.get(key, {}).get(name, ()))
                )
            if len(records) > 1:
                matches.ambiguous[key] = _several(name, records)
            if records:
                if len(records) == 1:
                    matches.found[key] = next(iter(records))
                    if name in LIKENESS:
                        matches.likely[key] = name
                break
    _without_contradicted(scan, child, own, through, matches)
    _without_contested(session, scan, matches)
    return matches


def match_children(
    session: Session, scan: Scan, new: Sequence[Candidate], parents: Mapping[str, str | None]
) -> Matches:
    """Match rows that have parents; `parents` are the remote ids of their parents, None while not created."""
    matches = Matches()
    if not new:
        return matches
    _succeed(session, scan, new, parents, matches)
    new = [candidate for candidate in new if candidate.key not in matches.found]
    if not new or not scan.sync.match or not scan.mirror.exists:
        return matches
    own = _own_values(scan, [candidate.key for candidate in new])
    hits = _hits(scan, own.values())
    by_parent: dict[str, list[str]] = defaultdict(list)
    for candidate in new:
        parent = parents.get(candidate.parent_key or "")
        if parent:
            by_parent[parent].append(candidate.key)
        for name in scan.sync.match:
            records: set[tuple[str, str | None]] = set().union(
                *(hits.get(name, {}).get(value, set()) for value in own[candidate.key].get(name, ()))
            )
            # While the parent is not there every record is below another one.
            elsewhere = {record for record in records if record[1] != parent}
            if elsewhere:
                matches.ambiguous[candidate.key] = (
                    f"its {name} is that of a SKU of another product there: "
                    f"{_list(record[1] or '?' for record in elsewhere)}"
                )
            elif len(records) > 1:
                matches.ambiguous[candidate.key] = _several(name, records)
            elif records:
                matches.found[candidate.key] = next(iter(records))
            if records:
                break
    _match_only_children(session, scan, by_parent, matches)
    _without_contradicted(scan, None, own, {}, matches)
    _without_contested(session, scan, matches)
    return matches


def _succeed(
    session: Session,
    scan: Scan,
    new: Sequence[Candidate],
    parents: Mapping[str, str | None],
    matches: Matches,
) -> None:
    """A parent's default child cannot be deleted or changed (Webflow dossier §1.2): where its row left the model and a
    new row is the default, that row takes its record over."""
    parent = scan.sync.parent
    if parent is None:
        return
    below = {remote: key for key in {one.parent_key or "" for one in new} if (remote := parents.get(key))}
    if not below:
        return
    rows = scan.rows([one.key for one in new])
    heirs = {one.parent_key: one.key for one in new if one.key in rows and rows[one.key][parent.default]}
    for remote, (key, record) in ledger.default_children(session, scan.sync, parent.sync, below).items():
        heir = heirs.get(below[remote])
        if heir is not None and key not in scan.rows([key]):
            matches.found[heir] = (record, remote)
            matches.successions[heir] = key


def _match_only_children(
    session: Session, scan: Scan, by_parent: Mapping[str, Sequence[str]], matches: Matches
) -> None:
    """Where the product is the same and both sides have one SKU, the SKUs are the same."""
    lonely = {
        parent: keys[0]
        for parent, keys in by_parent.items()
        if len(keys) == 1 and keys[0] not in matches.found and keys[0] not in matches.ambiguous
    }
    for parent, document in scan.mirror.documents(list(lonely)).items():
        default, count = scan.destination.default_child(document) if document else ("", 0)
        if count == 1 and default and not claimed(session, scan.sync, [default]):
            matches.found[lonely[parent]] = (default, parent)


def _without_contradicted(
    scan: Scan,
    child: Scan | None,
    own: Mapping[str, Mapping[str, Sequence[str]]],
    through: Mapping[str, Mapping[str, Sequence[str]]],
    matches: Matches,
) -> None:
    """Records that have a code where ours is another, such as a SKU, are other things, however alike they look."""
    codes = [name for name in scan.sync.match if name not in LIKENESS]
    doubtful = {key: ids for key, ids in matches.found.items() if key not in matches.successions}
    if not codes or not doubtful:
        return
    documents = scan.mirror.documents(sorted({parent or remote for remote, parent in doubtful.values()}))
    for key, (remote, parent) in doubtful.items():
        document = documents.get(parent or remote)
        if document is None:
            continue
        for name in codes:
            mine = {*own.get(key, {}).get(name, ()), *through.get(key, {}).get(name, ())}
            reader = child if child and name in through.get(key, {}) else scan
            theirs = {_plain(one) for one in reader.destination.codes(reader.sync, document, remote, name)}
            if mine and theirs and not mine & theirs:
                likeness = matches.likely.pop(key, "place")
                matches.refuse(
                    key,
                    f"record {remote} there has the same {likeness}, but the {name} {_list(theirs)} where ours is "
                    f"{_list(mine)}: it is another thing, and is left alone",
                )
                break


def _without_contested(session: Session, scan: Scan, matches: Matches) -> None:
    """Records that another row owns already, or that two rows would adopt, are adopted by nobody."""
    owners = claimed(session, scan.sync, [remote for remote, _ in matches.found.values()])
    rivals: dict[str, list[str]] = defaultdict(list)
    for key, (remote, _) in matches.found.items():
        rivals[remote].append(key)
    for remote, keys in rivals.items():
        if remote in owners and [owners[remote]] != [matches.successions.get(key) for key in keys]:
            reason = f"record {remote} there belongs to {owners[remote]} already"
        elif len(keys) > 1:
            reason = f"record {remote} there fits {len(keys)} rows: {_list(keys)}"
        else:
            continue
        for key in keys:
            matches.refuse(key, reason)


def _own_values(scan: Scan, keys: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Key → match field → normalised values, with the row's container before them where there is one."""
    columns = {name: spec.column for name in scan.sync.match if (spec := scan.sync.field(name))}
    found: dict[str, dict[str, list[str]]] = {}
    for key, row in scan.rows(keys).items():
        try:
            container = scan.destination.container(scan.sync, row)
        except WrongValue:
            continue  # The comparison reports the row.
        prefix = f"{container}/" if container else ""
        found[key] = {
            name: [_plain(f"{prefix}{row[column]}")] for name, column in columns.items() if row[column]
        }
    return found


def _values_through(scan: Scan, child: Scan | None, keys: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Key → match field that only the children have → their normalised values."""
    values: dict[str, dict[str, list[str]]] = {key: {} for key in keys}
    for name in scan.sync.match:
        spec = child.sync.field(name) if child and not scan.sync.field(name) else None
        if child is None or spec is None:
            continue
        for row in child.children_of(keys, spec.column):
            if row["value"]:
                values[row["parent_key"]].setdefault(name, []).append(_plain(row["value"]))
    return values


def _hits(scan: Scan, wanted: Iterable[Mapping[str, Sequence[str]]]) -> _Hits:
    by_name: dict[str, set[str]] = defaultdict(set)
    for one in wanted:
        for name, values in one.items():
            by_name[name].update(values)
    hits: dict[str, dict[str, set[tuple[str, str | None]]]] = defaultdict(lambda: defaultdict(set))
    for row in scan.mirror.identifiers({name: sorted(values) for name, values in by_name.items()}):
        hits[row["name"]][_plain(row["value"])].add((row["remote_id"], row["parent_remote_id"]))
    return hits


def _plain(value: object) -> str:
    return str(value).strip().lower()


def _several(name: str, records: Iterable[tuple[str, str | None]]) -> str:
    return f"its {name} fits several records there: {_list(remote for remote, _ in records)}"


def _list(values: Iterable[str]) -> str:
    ordered = sorted(values)
    return ", ".join(ordered[:5]) + (" …" if len(ordered) > 5 else "")
