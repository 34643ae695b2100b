"""Looking at what happened: status, history, errors, counts. Nothing here changes anything."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich.table import Table

from karvon.published import TABLE_ROWS
from orchestration.cli.display import table_console
from orchestration.cli.session import opened_for_reading, plain_errors, renew_copy

_as_json = click.option("--json", "as_json", is_flag=True, help="As JSON.")
_TITLES = {"open_operations": "open", "applied_at": "written (UTC)"}


@click.command("status")
@_as_json
@plain_errors
def status_command(as_json: bool) -> None:
    """What is in the shop by our hand, when it was last written, and what waits."""
    from reports.measures import measures, spoken
    from reports.rejects import rejects, rejects_in_words
    from reverse_etl.state.history import history, status, tallies
    from reverse_etl.state.outstanding import total

    _, warehouse, moment = opened_for_reading()
    tally = total(tallies(warehouse).values())
    syncs, plans, measured = status(warehouse), history(warehouse, limit=1), measures(warehouse)
    put_aside = rejects(warehouse)
    if as_json:
        rows = [one.as_row() for one in measured.values()]
        last = plans[0] if plans else None
        facts = {"syncs": syncs, "last_plan": last, "measures": rows, **tally.as_row()}
        _json({**facts, "put_aside": put_aside, "as_of": moment})
        return
    _say(moment)
    _table("In the destinations, by our hand", _standing(syncs))
    if measured:
        _table("Parity of view and destination, and from edit to live", spoken(list(measured.values())))
    click.echo(f"Rows that are not out: {tally.spoken()}.")
    for plan in plans:
        click.echo(
            f"Last plan {plan['plan_id']} ({plan['status']}): {_counted(plan['results']) or '0 changes'}"
        )
    if put_aside:
        click.echo(rejects_in_words(put_aside))


@click.command("history")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1))
@_as_json
@plain_errors
def history_command(limit: int, as_json: bool) -> None:
    """Past plans, newest first, and what became of their operations."""
    from reverse_etl.state.history import history

    _, warehouse, moment = opened_for_reading()
    plans = history(warehouse, limit)
    if as_json:
        _json(plans)
        return
    _say(moment)
    shown = [
        {
            "plan": plan["plan_id"],
            "made (UTC)": plan["created_at"],
            "status": plan["status"],
            "operations": _counted(plan["results"]),
            "requests": plan["request_count"],
        }
        for plan in plans
    ]
    _table("Plans", shown)


@click.command("errors")
@click.option("--retry", is_flag=True, help="Plan the refused rows again and apply them.")
@_as_json
@click.pass_context
@plain_errors
def errors_command(context: click.Context, retry: bool, as_json: bool) -> None:
    """Rows that the destination refused, with its own words; and what was deferred or of unknown outcome."""
    from orchestration.cli.run import run_command
    from reverse_etl.destinations import DESTINATIONS
    from reverse_etl.state.history import errors, tallies
    from reverse_etl.state.outstanding import total

    if retry:
        try:
            context.invoke(
                run_command, retry=True, select=" or ".join(f"group:{name}" for name in DESTINATIONS)
            )
        finally:
            renew_copy()
        return
    _, warehouse, moment = opened_for_reading()
    rows = errors(warehouse)
    if as_json:
        _json(rows)
    else:
        _say(moment)
        # No table: the destination's words would be broken up to fit a column.
        for row in rows:
            status = "refused" if row["status"] == "failed" else row["status"]
            what = f"{row['action']} {status} on {row['answered_at']:%Y-%m-%d %H:%M} UTC"
            field = f" [{row['error_field']}]" if row["error_field"] else ""
            click.echo(f"{row['sync']} {row['key']} ({what}){field}: {row['error']}. {_way_out(row)}")
        click.echo(f"{total(tallies(warehouse).values()).spoken()}.")


@click.command("counts")
@_as_json
@plain_errors
def counts_command(as_json: bool) -> None:
    """Rows in every table of the warehouse."""
    _, warehouse, moment = opened_for_reading()
    with warehouse.session() as session:
        tables = session.rows(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema LIKE 'raw_%' "
            "OR table_schema IN ('staging', 'marts', 'activation', 'reverse_etl') ORDER BY 1, 2"
        )
        names = [f"{table['table_schema']}.{table['table_name']}" for table in tables]
        counted = [f"SELECT '{name}' AS name, count(*) AS rows FROM {name}" for name in names]
        if warehouse.read_only:
            counted.append(f"SELECT name, rows FROM {TABLE_ROWS}")
        rows = session.rows(f"{' UNION ALL '.join(counted)} ORDER BY 1") if counted else []
    if as_json:
        _json({row["name"]: row["rows"] for row in rows})
    else:
        _say(moment)
        _table("Warehouse", rows)


def _say(moment: str) -> None:
    if moment:
        click.echo(moment)


def _way_out(row: Mapping[str, Any]) -> str:
    if row["is_permanent"]:
        return "It is not sent again as it is: mend the row, or run `karvon errors --retry`."
    if row["status"] == "unknown":
        return "The next run finds out whether it happened."
    return "The next run plans it again."


def _counted(results: Mapping[str, int]) -> str:
    return ", ".join(
        f"{count} {'refused' if name == 'failed' else name}" for name, count in sorted(results.items())
    )


def _json(content: Any) -> None:
    click.echo(json.dumps(content, default=str, indent=2))


def _standing(syncs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What fits a terminal of 80 columns: what is the same everywhere, such as the only connection, is left out."""
    several = {one["connection"] for one in syncs} - {"default", None}
    kept = ["sync", *(["connection"] if several else []), "rows"]
    kept += [name for name in ("removed", "open_operations", "applying") if any(one[name] for one in syncs)]
    shown = [*kept, "applied_at", "not_ready", "waits", "refused"]
    return [{_TITLES.get(name, name): one[name] for name in shown} for one in syncs]


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return "" if value is None else str(value)


def _table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        click.echo(f"{title}: nothing yet.")
        return
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for place, name in enumerate(rows[0]):
        # The first column holds what a reader copies: the id of a plan, the name of a table.
        table.add_column(name.replace("_", " "), overflow="fold", no_wrap=place == 0)
    for row in rows:
        table.add_row(*(_shown(value) for value in row.values()))
    table_console().print(table)
