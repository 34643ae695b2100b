"""A user's report as one page that works offline: charts by Observable Plot (vendor/), the marts' figures inside.

Amounts travel as decimal text, so that the page adds them exactly. It holds no personal
value: the marts have none.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from karvon.home import share_like_folder
from karvon.warehouse import Session, Warehouse
from reports import user_figures as figures
from reports.page import look, render
from reports.user_figures import Period, User

DAYS = 180
"""The longest range of the page, and as many days before it to compare with."""
_LIBRARIES = ("d3.min.js", "plot.umd.min.js")
_STATE = re.compile(r'<meta name="karvon-state" content="([0-9a-f]+)">')
_HEAD = 2_000
"""Characters from the beginning of a page within which its state is found."""


def user_page(warehouse: Warehouse, user_id: str) -> str:
    """The page as HTML. Raises `NothingMeasured`."""
    with warehouse.session() as session:
        user = figures.read_user(session, user_id)
        return _page(session, user, _state(figures.fingerprints(session)[user_id]))


def write_pages(warehouse: Warehouse, folder: Path) -> Iterator[tuple[Path, bool]]:
    """The page of every user, with whether it was written: one whose figures stand as they were is left alone.

    Pages of users that are gone are deleted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with warehouse.session() as session:
        users = figures.read_users(session)
        for user_id, fingerprint in figures.fingerprints(session).items():
            path, state = page_path(folder, user_id), _state(fingerprint)
            moved = _state_of(path) != state
            if moved:
                path.write_text(_page(session, users[user_id], state), encoding="utf-8")
                share_like_folder(path)
            yield path, moved
    for path in set(folder.glob("*.html")) - {page_path(folder, user_id) for user_id in users}:
        path.unlink()


def page_path(folder: Path, user_id: str) -> Path:
    """Where a user's page is."""
    return folder / f"{user_id}.html"


def _page(session: Session, user: User, state: str) -> str:
    span = figures.period(session, user, DAYS)
    content = {
        "state": state,
        "user": {
            "id": user.user_id, "title": user.title, "zone": user.time_zone, "currency": user.currency,
            "digits": user.digits,
        },
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "days": _days(session, user, span) if span else [],
        "by_source": _plain(figures.by_source(session, user, span)) if span else [],
        "by_currency": _plain(figures.by_currency(session, user, span)) if span else [],
        "sources": _plain(figures.sources(session, user)),
        "rejects": _plain(figures.rejects(session, user)),
        "cohorts": _plain(figures.cohorts(session, user)),
    }  # fmt: skip
    return render("user", content, libraries=_LIBRARIES, styles_of_scripts=True)


def _days(session: Session, user: User, span: Period) -> list[dict[str, Any]]:
    first = figures.first_orders(session, user, span)
    rows = figures.daily(session, user, span)
    return _plain({**row, "first_order_count": first.get(row["metric_date"], 0)} for row in rows)


def _plain(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: _value(value) for name, value in row.items()} for row in rows]


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:.4f}"
    return value.isoformat() if isinstance(value, (date, datetime)) else value


def _state(fingerprint: str) -> str:
    """Of the figures and of the look of the page."""
    return hashlib.sha256(f"{look('user')}|{fingerprint}".encode()).hexdigest()[:32]


def _state_of(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open(encoding="utf-8") as page:
        found = _STATE.search(page.read(_HEAD))
    return found[1] if found else None
