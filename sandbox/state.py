"""What the sandbox remembers, for every vendor alike.

A vendor module builds its routes from one `State` and needs nothing else:

* ``state.collection("webflow/default/products")`` is a dict-like table of JSON objects by key, written
  through to SQLite on every `put`. The names begin with ``<vendor>/<account>/``. Objects are plain dicts:
  change a copy and `put` it back; a change in place is not stored.
* ``state.switches["plytix.v2_ids"]`` reads a behaviour switch. A vendor declares its own once with
  ``state.switches.declare("webflow.<name>", default, choices=(...), help="...")``.
* ``state.now()`` is real UTC in milliseconds, and strictly increasing.
* ``state.public_url`` is how this sandbox is reached (``http://127.0.0.1:8791``), for absolute file URLs.

Logging, faults and rate limits are the work of `sandbox.gate`, which stands in front of all routes: a
vendor does nothing for them. Handlers are ``async def`` and do not await between reading and writing state,
so no lock is needed. A vendor's world is made when an account is first used and found empty, so that a
reset (`State.drop`) is enough to begin anew.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

Document = dict[str, Any]


class Collection:
    """Documents by key, in insertion order; held in memory and written through."""

    def __init__(self, name: str, database: sqlite3.Connection) -> None:
        self.name = name
        self.revision = 0
        self._database = database
        rows = database.execute(
            "SELECT key, document FROM documents WHERE collection = ? ORDER BY rowid", (name,)
        )
        self._documents: dict[str, Document] = {key: orjson.loads(document) for key, document in rows}

    def get(self, key: str) -> Document | None:
        return self._documents.get(key)

    def put(self, key: str, document: Document) -> None:
        self.put_many([(key, document)])

    def put_many(self, entries: Iterable[tuple[str, Document]]) -> None:
        """Write all or nothing: one transaction."""
        pairs = list(entries)
        rows = [(self.name, key, orjson.dumps(document)) for key, document in pairs]
        # An upsert keeps the rowid, and with it the order in which things were created.
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT INTO documents VALUES (?, ?, ?) "
            "ON CONFLICT (collection, key) DO UPDATE SET document = excluded.document",
            rows,
        )
        self._database.execute("COMMIT")
        self._documents.update(pairs)
        self.revision += 1

    def delete(self, key: str) -> Document | None:
        self._database.execute("DELETE FROM documents WHERE collection = ? AND key = ?", (self.name, key))
        self.revision += 1
        return self._documents.pop(key, None)

    def clear(self) -> None:
        self._database.execute("DELETE FROM documents WHERE collection = ?", (self.name,))
        self._documents.clear()
        self.revision += 1

    def keys(self) -> list[str]:
        return list(self._documents)

    def values(self) -> list[Document]:
        return list(self._documents.values())

    def items(self) -> list[tuple[str, Document]]:
        return list(self._documents.items())

    def __len__(self) -> int:
        return len(self._documents)

    def __contains__(self, key: object) -> bool:
        return key in self._documents

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())


@dataclass(frozen=True)
class Switch:
    """One behaviour that the dossiers call unknown or contradictory."""

    name: str
    default: object
    choices: tuple[object, ...]
    help: str


class Switches:
    """Named behaviours with a default; what was set survives a restart."""

    def __init__(self, stored: Collection) -> None:
        self._stored = stored
        self._declared: dict[str, Switch] = {}

    def declare(
        self, name: str, default: object, *, choices: tuple[object, ...] = (), help: str = ""
    ) -> None:
        """Make a switch known. Without `choices` any value of the default's type is taken."""
        self._declared[name] = Switch(name, default, choices, help)

    def declared(self) -> list[Switch]:
        return sorted(self._declared.values(), key=lambda switch: switch.name)

    def __getitem__(self, name: str) -> Any:
        stored = self._stored.get(name)
        return self._declared[name].default if stored is None else stored["value"]

    def set(self, name: str, value: object) -> None:
        """Raises ValueError, naming the choices, for an unknown switch or a value it cannot take."""
        switch = self._declared.get(name)
        if switch is None:
            raise ValueError(f"unknown switch {name!r}; known: {', '.join(sorted(self._declared))}")
        if switch.choices and not any(
            value == choice and type(value) is type(choice) for choice in switch.choices
        ):
            raise ValueError(f"{name} takes one of {list(switch.choices)!r}, not {value!r}")
        if not switch.choices and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            raise ValueError(f"{name} takes a whole number from 0 up, not {value!r}")
        self._stored.put(name, {"value": value})

    def reset(self) -> None:
        self._stored.clear()

    def as_dict(self) -> dict[str, object]:
        return {switch.name: self[switch.name] for switch in self.declared()}


class State:
    """Everything one sandbox holds; `state_dir` makes it outlive the process."""

    def __init__(self, state_dir: Path, *, public_url: str = "http://127.0.0.1:8791") -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        self.folder = state_dir.absolute()
        self.public_url = public_url.rstrip("/")
        self._database = sqlite3.connect(
            state_dir / "sandbox.sqlite", isolation_level=None, check_same_thread=False
        )
        # The file must outlive a killed process, not a power cut.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS documents (collection TEXT NOT NULL, key TEXT NOT NULL, document BLOB NOT NULL)"
        )
        self._database.execute(
            "CREATE UNIQUE INDEX IF NOT EXISTS documents_key ON documents (collection, key)"
        )
        self._collections: dict[str, Collection] = {}
        self._last_moment = datetime.min.replace(tzinfo=UTC)
        self.switches = Switches(self.collection("control/sandbox/switches"))

    def collection(self, name: str) -> Collection:
        """The one object for that name; it stays the same object over a reset."""
        if name not in self._collections:
            self._collections[name] = Collection(name, self._database)
        return self._collections[name]

    def accounts(self, vendor: str) -> list[str]:
        """Accounts of a vendor that hold at least one document."""
        rows = self._database.execute(
            "SELECT DISTINCT collection FROM documents WHERE collection LIKE ?", (f"{vendor}/%",)
        )
        return sorted({name.split("/")[1] for (name,) in rows})

    def sizes(self, prefix: str = "") -> Mapping[str, int]:
        """Number of documents by collection."""
        rows = self._database.execute(
            "SELECT collection, count(*) FROM documents WHERE substr(collection, 1, length(?)) = ? "
            "GROUP BY 1 ORDER BY 1",
            (prefix, prefix),
        )
        return dict(rows.fetchall())

    def drop(self, prefix: str) -> None:
        """Empty every collection whose name begins with `prefix`, those not opened yet too."""
        for name in self.sizes(prefix):
            self.collection(name).clear()

    def now(self) -> datetime:
        """UTC, cut to milliseconds, later than every moment given before."""
        real = datetime.now(UTC)
        moment = real.replace(microsecond=real.microsecond // 1000 * 1000)
        self._last_moment = max(moment, self._last_moment + timedelta(milliseconds=1))
        return self._last_moment

    def close(self) -> None:
        self._database.close()
