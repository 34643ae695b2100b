"""One row's fields, three ways: what we want, what we last sent, what is there now (design §4).

Ours to send is what differs from what we sent; drift is what differs from what the destination answered then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reverse_etl.planning.row_facts import Subject
from reverse_etl.spec.states import ARCHIVED, DEFAULT, DEFAULT_CHILD, DRAFT, PUBLISHED, WORDS
from reverse_etl.spec.syncs import FILES, FieldSpec, Sync
from reverse_etl.spec.values import Value, already_there, same_shown, sent_form, shown_form
from reverse_etl.state.drift import Drift, decided
from reverse_etl.state.ledger import Entry
from reverse_etl.state.operations import Finding

References = Mapping[str, Mapping[str, str | None]]
"""Sync → key → remote id; None for a row that this plan creates; absent for one that is not in the shop."""


@dataclass
class Differences:
    """What the fields of one row need, and what their operation or the ledger must remember."""

    values: dict[str, Value]
    changes: dict[str, dict[str, Value]] = field(default_factory=dict)
    desired: dict[str, Value] = field(default_factory=dict)
    baseline: dict[str, Value] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    complete: bool = True
    kept: dict[str, bool] = field(default_factory=dict)
    """States that somebody gave the record there, and that stay."""


def differences(
    sync: Sync, subject: Subject, values: dict[str, Value], references: References
) -> Differences:
    """Compare the fields of a row that stays where it is, or that is to be created. Raises `WrongValue`."""
    found, entry = Differences(values), subject.entry
    if entry is None or subject.is_gone:
        for spec in sync.plain_fields:
            _on_create(sync, spec, subject, found, references)
        return found
    sent, answered = entry.sent, entry.answered
    shown = answered if subject.record is None else subject.record.values
    for spec in sync.plain_fields:
        name = spec.field
        form, now = sent_form(spec, values[name]), shown.get(name)
        found.desired[name] = sent.get(name)
        found.baseline[name] = answered.get(name, now)
        ours = name not in sent or sent[name] != form
        is_as_answered = subject.record is None or (now and now == answered.get(name))
        # Most fields are as they were: the forms of what is shown need not be made.
        if ours or spec.refers or not is_as_answered:
            _on_update(sync, spec, subject, entry, form, found, references)
    if default := _known_default(subject):
        found.baseline[DEFAULT] = default
    _states(sync, subject, found)
    return found


def _states(sync: Sync, subject: Subject, found: Differences) -> None:
    for drift in _state_drifts(sync, subject):
        is_left = drift.decided != "overwritten"
        what = f"policy {drift.policy}: left as it is" if is_left else "will be changed back"
        message = f"{WORDS[drift.field]}; {what}"
        cause = f"{drift.decided} {drift.field}"
        found.findings.append(Finding("drift", sync.name, subject.key, message, drift.field, cause=cause))
        found.drifts.append(drift)
        if is_left:
            found.complete = False
            found.kept[drift.field] = drift.theirs
        else:
            found.changes[drift.field] = {"before": drift.theirs, "after": drift.ours}
    if found.kept.keys() - {DEFAULT}:
        # A live write of any field would show again what somebody took out of sight.
        found.values[PUBLISHED] = None
        found.changes.pop(PUBLISHED, None)


def _state_drifts(sync: Sync, subject: Subject) -> Iterator[Drift]:
    """We leave nothing archived and no draft, unless a column of the view says so or we removed the row."""
    record, entry = subject.record, subject.entry
    if record is None or entry is None or entry.removed:
        return
    for name in (ARCHIVED, DRAFT):
        if record.states.get(name) and not sync.field(name):
            policy = sync.states.of(name)
            yield Drift(sync.name, subject.key, name, False, False, True, policy, decided(policy))
    known, shown = _known_default(subject), record.extras.get(DEFAULT_CHILD)
    if known and shown and known != shown:
        policy = sync.states.default
        yield Drift(sync.name, subject.key, DEFAULT, known, known, shown, policy, decided(policy))


def _known_default(subject: Subject) -> Value:
    """The default child that the destination chose when the record was made; nobody can be asked for another."""
    entry = subject.entry
    return entry and (entry.answered.get(DEFAULT) or entry.extras.get(DEFAULT_CHILD))


def _on_create(
    sync: Sync, spec: FieldSpec, subject: Subject, found: Differences, references: References
) -> None:
    value = found.values[spec.field]
    if _waits(sync, spec, subject, value, found, references):
        return
    if value is not None:
        found.changes[spec.field] = {"before": None, "after": value}
    found.desired[spec.field] = sent_form(spec, value)


def _on_update(
    sync: Sync, spec: FieldSpec, subject: Subject, entry: Entry, form: Value, found: Differences,
    references: References,
) -> None:  # fmt: skip
    name, value, record = spec.field, found.values[spec.field], subject.record
    is_shown, has_baseline = record is not None, name in entry.answered
    now = entry.answered.get(name) if record is None else record.values.get(name)
    shown = shown_form(spec, now)
    there_now = shown if is_shown or has_baseline else entry.sent.get(name)
    if spec.policy == "create_only" or _is_left_out(spec, value, there_now):
        return
    if value is None and _cannot_be_emptied(spec):
        _stays(sync, spec, subject, found, there_now, now)
        return
    if _waits(sync, spec, subject, value, found, references):
        return
    ours = name not in entry.sent or entry.sent[name] != form
    ours = ours or (spec.refers and _points_elsewhere(spec, value, entry.answered.get(name), references))
    drifted = (
        is_shown and has_baseline and not same_shown(spec, shown, shown_form(spec, entry.answered[name]))
    )
    if is_shown and shown is None and value is not None and entry.sent.get(name) == form:
        # A picture is taken over after the answer (Webflow dossier §6.2); this one never arrived.
        drifted = drifted or spec.as_ in ("image", "images")
    # Most fields are as they were: whether the record shows them need not be known.
    there = (ours or drifted or subject.is_adopted) and _is_there(spec, value, shown, entry, references)
    if subject.is_adopted and spec.policy in ("keep", "report") and shown is not None and not there:
        # An edit that was there before us: our value counts as answered, so that the difference stays visible.
        found.baseline[name] = value
        drifted = True
    # What we took out of sight ourselves is nobody's edit.
    is_ours = spec.field == PUBLISHED and entry.removed
    if drifted and spec.policy in ("keep", "report") and not there and not is_ours:
        _tell_drift(sync, spec, subject, found, now)
        found.complete = False
        if spec.field == PUBLISHED:
            found.kept[PUBLISHED] = False
        return
    if name in subject.withheld:
        found.complete = False
        return
    found.desired[name] = form
    if not ours and not drifted:
        return
    if there:
        found.baseline[name] = now
        return
    if drifted:
        _tell_drift(sync, spec, subject, found, now)
    found.changes[name] = {"before": now, "after": value}


def _points_elsewhere(spec: FieldSpec, value: Value, answered: Value, references: References) -> bool:
    """Whether a record that the field points to was made again since, under another id."""
    known = references.get(spec.sync or "", {})
    ids = {known[key] for key in value or ()}
    return isinstance(answered, list) and None not in ids and ids != set(answered)


def _is_there(spec: FieldSpec, value: Value, shown: Value, entry: Entry, references: References) -> bool:
    """Whether the record already shows the value.

    Pictures and HTML that we sent ourselves are known by what we sent only; their looks prove nothing.
    """
    if spec.field in entry.sent and spec.as_ in FILES | {"html"}:
        return False
    return already_there(spec, value, shown, references.get(spec.sync or "", {}))


def _waits(
    sync: Sync, spec: FieldSpec, subject: Subject, value: Value, found: Differences, references: References
) -> bool:
    """A reference to a row that is neither in the shop nor in this plan: leave the field alone until it is."""
    if not spec.refers or not value:
        return False
    known = references.get(spec.sync or "", {})
    missing = [key for key in value if key not in known]
    if missing:
        message = f"{spec.field} waits: {', '.join(missing[:3])} of {spec.sync} is not in {sync.destination}"
        found.findings.append(Finding("deferred", sync.name, subject.key, message, spec.field))
        found.complete = False
    return bool(missing)


def _is_left_out(spec: FieldSpec, value: Value, there_now: Value) -> bool:
    """Whether the field is not ours to write."""
    if value is None:
        return spec.as_ == "published" or spec.write != "always"
    return spec.write == "into_empty" and there_now is not None


def _cannot_be_emptied(spec: FieldSpec) -> bool:
    """The store API takes no empty numbers (Webflow dossier §1.5)."""
    return spec.as_ == "number" and not spec.can_be_null


def _stays(
    sync: Sync, spec: FieldSpec, subject: Subject, found: Differences, there_now: Value, now: Value
) -> None:
    """The view has no value and the destination keeps its own until a person takes it out there."""
    if there_now is None:
        found.desired[spec.field], found.baseline[spec.field] = None, now
        return
    found.complete = False
    what = "the view has none, and the API cannot empty it: empty it there"
    _tell(sync, spec, subject, found, there_now if now is None else now, what, "report")


def _tell_drift(sync: Sync, spec: FieldSpec, subject: Subject, found: Differences, now: Value) -> None:
    if spec.policy in ("keep", "report"):
        what = f"policy {spec.policy}: left as it is"
    else:
        what = "edited there; will be overwritten"
    _tell(sync, spec, subject, found, now, what, spec.policy)


def _tell(
    sync: Sync, spec: FieldSpec, subject: Subject, found: Differences, now: Value, what: str, policy: str
) -> None:
    message = f"{spec.field} is {_short(now)}: {what}"
    cause = f"{decided(policy)} {spec.field}"
    found.findings.append(Finding("drift", sync.name, subject.key, message, spec.field, cause=cause))
    found.drifts.append(
        Drift(
            sync.name, subject.key, spec.field, ours=found.values[spec.field],
            answered=subject.entry.answered.get(spec.field) if subject.entry else None, theirs=now,
            policy=policy, decided=decided(policy),
        )
    )  # fmt: skip


def _short(value: Value) -> str:
    text = "empty" if value is None else str(value)
    return text if len(text) <= 80 else text[:77] + "…"
