"""How far a list was read: which cursors are believed, and where a run goes on that did not get to the end.

A run that reached a limit leaves its place in its observation, as JSON in `cursor_value` of an incomplete row. The
next one goes on there. Of a list that came in the order of its cursor, that is a later `since`: whatever changed
meanwhile is at its end. Of any other it is the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from pipelines.sources.user_apis.definition import Incremental
from pipelines.sources.user_apis.records import instant, rank

_AHEAD = timedelta(hours=26)
"""A time without a zone may be so far ahead of UTC and right, with a clock that is some minutes fast."""


def is_believable(cursor: Any, spec: Incremental, now: datetime) -> bool:
    """Whether a cursor is not in the future: with it the next runs would ask for nothing, for years."""
    text = str(cursor)
    if spec.format == "as_is" and text.replace(".", "", 1).isdigit():
        # A counter, as far as anybody knows.
        return True
    at = instant(text)
    return at is None or (at if at.tzinfo else at.replace(tzinfo=UTC)) <= now + _AHEAD


@dataclass(frozen=True)
class Unfinished:
    """Where a list is gone on with."""

    definition: str
    """Hash of the definition; another one asks otherwise."""
    since: str | None
    """The cursor that was asked with."""
    place: Mapping[str, Any] | None
    """Of the page: `value` of a counted one, or `next` as the API named it. None: begin with the first."""
    highest: str | None
    """The highest cursor in what was read so far."""
    began_at: str
    """When the first of the runs began (ISO, UTC): what changed since then may be on pages that are read already."""

    def text(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def read(cls, text: Any, definition: str) -> Unfinished | None:
        """What a run left, unless it was for another definition."""
        if not isinstance(text, str) or not text.startswith('{"definition"'):
            return None
        found = cls(**orjson.loads(text))
        return found if found.definition == definition else None

    def settled(self, highest: str | None) -> str | None:
        """The cursor of a list that was read in several runs: not behind the beginning of the first."""
        at, began = instant(highest or ""), datetime.fromisoformat(self.began_at)
        if highest is None or at is None or (at if at.tzinfo else at.replace(tzinfo=UTC)) <= began:
            return highest
        if highest.replace(".", "", 1).isdigit():
            return str(int(began.timestamp() * (1000 if float(highest) > 1e11 else 1)))
        return began.isoformat().replace("+00:00", "Z") if highest.endswith("Z") else began.isoformat()


class InOrder:
    """Whether cursors only ever rose, and the last value that surely came whole."""

    def __init__(self) -> None:
        self._rose = True
        self._last: Any = None
        self._before: Any = None

    def see(self, cursors: Iterable[Any]) -> None:
        for cursor in cursors:
            if cursor is None or (self._last is not None and rank(cursor) < rank(self._last)):
                self._rose = False
                return
            if self._last is None or rank(cursor) > rank(self._last):
                self._before, self._last = self._last, cursor

    def since(self, asked: str | None) -> str | None:
        """The cursor to go on with; None if there is none, or none beyond the one that was asked with."""
        if not self._rose or self._before is None:
            return None
        return str(self._before) if asked is None or rank(self._before) > rank(asked) else None
