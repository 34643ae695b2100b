"""Turns: what only one process may do to the warehouse at a time, for the time of a block.

A turn has a name and a holder that says who it is; others wait for it. It is free when its holder ends, however it
ends: on Postgres it is an advisory lock of a session that does nothing else, which the server gives up when the
connection breaks (a lost network: after about 90 s); on DuckDB the lock of a file beside the warehouse. A process that
has a turn has it for all its threads, and may ask for it again.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from karvon.warehouse_errors import WarehouseError, WarehouseLocked, of_the_disk

WHOLE = "warehouse"
"""All of it: shared by everybody who loads, builds, plans or applies; alone to erase or replace what others write."""
_QUEUE = "queue"
"""Passed on the way to `WHOLE`, so that who wants it alone is not kept waiting by those who come later."""
MODELS = "models"
"""To build them, alone; to read them for a plan and apply it, together with others who do."""
FILE = "file"
"""The DuckDB file itself: dbt has it open from beginning to end, everybody else for moments."""
_POLL_SECONDS = 0.1
_TELL_EVERY_SECONDS = 60
_OPTIONS = (
    "-c tcp_keepalives_idle=60 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3 "
    "-c idle_session_timeout=0 -c client_connection_check_interval=0"
)
_log = logging.getLogger("karvon.turns")


class Place(Protocol):
    """What turns need to know of a warehouse, which takes one itself to open its file."""

    @property
    def url(self) -> str: ...
    @property
    def dialect(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def turn_seconds(self) -> float: ...


class TurnLost(WarehouseError):
    """The connection that held the turn broke, and another process may have begun."""


@contextmanager
def building(warehouse: Place, doing: str) -> Iterator[Turn]:
    """The turn to make models. Raises `WarehouseLocked` after the warehouse's `turn_seconds`."""
    with working(warehouse, doing), turn(warehouse, MODELS, doing) as mine:
        yield mine


@contextmanager
def applying(warehouse: Place, destinations: Collection[str], doing: str) -> Iterator[None]:
    """The turn to plan and apply to these destinations, while no model is made."""
    with working(warehouse, doing), ExitStack() as turns:
        for destination in sorted(destinations):
            turns.enter_context(turn(warehouse, f"apply {destination}", doing))
        turns.enter_context(reading_models(warehouse, doing))
        yield


@contextmanager
def reading_models(warehouse: Place, doing: str) -> Iterator[None]:
    """While no model is made; on Postgres beside others who read them, on DuckDB, which has one writer, alone."""
    with working(warehouse, doing), turn(warehouse, MODELS, doing, shared=warehouse.dialect == "postgres"):
        yield


@contextmanager
def landing(warehouse: Place, source: str, doing: str) -> Iterator[None]:
    """The turn to read a source whole. Slices of a crawl are claimed one by one and are only `working`."""
    with working(warehouse, doing), turn(warehouse, f"load {source}", doing):
        yield


@contextmanager
def working(warehouse: Place, doing: str) -> Iterator[None]:
    """Beside everybody else, and not while somebody is `alone`."""
    with ExitStack() as mine:
        with ExitStack() as queue:
            if not _has(warehouse, WHOLE):
                queue.enter_context(turn(warehouse, _QUEUE, doing, shared=True))
            mine.enter_context(turn(warehouse, WHOLE, doing, shared=True))
        yield


@contextmanager
def alone(warehouse: Place, doing: str) -> Iterator[None]:
    """The turn to erase or replace what others write: nobody loads, builds, plans, applies or opens the DuckDB file."""
    with (
        turn(warehouse, _QUEUE, doing),
        turn(warehouse, WHOLE, doing),
        whole_file(warehouse, doing),
    ):
        yield


@contextmanager
def whole_file(warehouse: Place, doing: str) -> Iterator[None]:
    """Nobody else opens the DuckDB file, so that another program can; on Postgres nothing has to be kept away."""
    if warehouse.dialect == "postgres":
        yield
        return
    with turn(warehouse, FILE, doing):
        yield


@dataclass(frozen=True)
class Holder:
    """Who has a turn."""

    host: str
    process: int
    doing: str
    since: datetime

    def __str__(self) -> str:
        return (
            f"{self.doing} (process {self.process} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S} UTC)"
        )


class Turn(Protocol):
    """A turn that this process has."""

    def check(self) -> None:
        """Raises `TurnLost`."""


class _Lock(Turn, Protocol):
    def take(self) -> bool: ...

    def holder(self) -> Holder | None: ...

    def give_back(self) -> None: ...


@dataclass
class _Mine:
    lock: _Lock
    shared: bool
    users: int = 1


_mine: dict[tuple[int, str, str], _Mine] = {}
_mine_guard = threading.Lock()


@contextmanager
def turn(warehouse: Place, name: str, doing: str, *, shared: bool = False) -> Iterator[Turn]:
    """Wait for the turn, in which `doing` is what others are told. Raises `WarehouseLocked`, at the end `TurnLost`."""
    key = (os.getpid(), warehouse.url, name)
    lock = _join(key, shared)
    if lock is None:
        lock = (
            _PostgresLock(warehouse.url, name, doing, shared)
            if warehouse.dialect == "postgres"
            else _FileLock(warehouse, name, doing, shared)
        )
        try:
            _wait(lock, warehouse.turn_seconds)
        except BaseException:
            lock.give_back()
            raise
        with _mine_guard:
            _mine[key] = _Mine(lock, shared)
    try:
        yield lock
        lock.check()
    finally:
        _leave(key, lock)


def _has(warehouse: Place, name: str) -> bool:
    with _mine_guard:
        return (os.getpid(), warehouse.url, name) in _mine


def _join(key: tuple[int, str, str], shared: bool) -> _Lock | None:
    """What this process has already."""
    with _mine_guard:
        mine = _mine.get(key)
        if mine is None or (mine.shared and not shared):
            return None
        mine.users += 1
        return mine.lock


def _leave(key: tuple[int, str, str], lock: _Lock) -> None:
    with _mine_guard:
        mine = _mine.get(key)
        if mine is not None and mine.lock is lock:
            mine.users -= 1
            if mine.users:
                return
            del _mine[key]
    lock.give_back()


def _wait(lock: _Lock, seconds: float) -> None:
    began = told = time.monotonic()
    while not lock.take():
        now, holder = time.monotonic(), lock.holder()
        who = str(holder or "another process of Karvon")
        if now - began > seconds:
            raise WarehouseLocked(
                f"The warehouse is at work for {who}; waited {seconds:.0f} s (KARVON_TURN_SECONDS). Wait for it or "
                "stop it; a turn is free when its process has ended."
            )
        # Not of the moments for which a file is open.
        if now - began > 1 and (told == began or now - told > _TELL_EVERY_SECONDS):
            told = now
            _log.warning("waiting for %s", who)
        time.sleep(_POLL_SECONDS)


class _FileLock:
    """Each turn has a file beside the warehouse; who takes it writes into it who he is, of several the last."""

    def __init__(self, warehouse: Place, name: str, doing: str, shared: bool) -> None:
        folder = warehouse.path.with_name(f"{warehouse.path.name}.claims")
        self._doing, self._shared, self._taken = doing, shared, False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / f"turn {name}", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise WarehouseError(of_the_disk(error)) from None

    def take(self) -> bool:
        try:
            fcntl.flock(self._file, (fcntl.LOCK_SH if self._shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self._taken = True
        # A turn of moments has no words.
        if self._doing:
            who = {"host": socket.gethostname(), "process": os.getpid(), "doing": self._doing}
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps(who | {"since": datetime.now(UTC).isoformat()}).encode(), 0)
        return True

    def holder(self) -> Holder | None:
        try:
            who = json.loads(os.pread(self._file, 10_000, 0))
            told = Holder(who["host"], who["process"], who["doing"], datetime.fromisoformat(who["since"]))
            # Of several who share it the last may have been killed.
            if told.host == socket.gethostname():
                os.kill(told.process, 0)
            return told
        except (ValueError, KeyError, TypeError, ProcessLookupError):
            return None
        except PermissionError:
            return told

    def check(self) -> None:
        """The lock of an open file is not lost."""

    def give_back(self) -> None:
        if self._taken and self._doing:
            told = self.holder()
            if told is None or told.process == os.getpid():
                with suppress(OSError):
                    os.ftruncate(self._file, 0)
        os.close(self._file)


@dataclass
class _PostgresLock:
    url: str
    name: str
    doing: str
    shared: bool
    _connection: Any = field(init=False)

    def __post_init__(self) -> None:
        import psycopg2

        # What others see of us in pg_stat_activity: 63 bytes.
        who = f"{os.getpid()}@{socket.gethostname()[:24]} {self.doing}"
        try:
            self._connection = psycopg2.connect(
                self.url, options=_OPTIONS, application_name=who,
                keepalives=1, keepalives_idle=60, keepalives_interval=10, keepalives_count=3,
            )  # fmt: skip
        except psycopg2.OperationalError as error:
            reason = str(error).strip().splitlines()[-1]
            raise WarehouseError(
                f"Postgres cannot be reached: {reason}. Check KARVON_WAREHOUSE_URL and that the server runs."
            ) from None
        self._connection.autocommit = True

    def take(self) -> bool:
        kind = "_shared" if self.shared else ""
        return bool(self._ask(f"SELECT pg_try_advisory_lock{kind}(hashtext(%s), 1)")[0])

    def holder(self) -> Holder | None:
        found = self._ask(
            """SELECT max(application_name), max(query_start) FROM pg_stat_activity WHERE pid = (
            SELECT min(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND objid = 1
            AND classid::bigint = hashtext(%s)::bigint::bit(32)::bigint AND database = (
                SELECT oid FROM pg_database WHERE datname = current_database()))"""
        )
        process, _, rest = str(found[0] or "").partition("@")
        host, _, doing = rest.partition(" ")
        return Holder(host, int(process), doing, found[1].astimezone(UTC)) if process.isdigit() else None

    def _ask(self, sql: str) -> Any:
        import psycopg2

        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, (f"turn {self.name}",))
                return cursor.fetchone()
        except psycopg2.Error:
            raise TurnLost(
                f"The connection to Postgres that held the turn for {self.doing} broke; another process may have "
                "begun, so this one stops. Run again: what was done stands."
            ) from None

    def check(self) -> None:
        self._ask("SELECT %s")

    def give_back(self) -> None:
        self._connection.close()
