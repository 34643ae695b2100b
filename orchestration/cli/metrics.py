"""`karvon metrics`: a user's days in the terminal, with what they rest on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from orchestration.cli.session import opened_for_reading, plain_errors

_BARS = "▁▂▃▄▅▆▇█"
_SPARKS = {
    "net": "net_amount", "refunds": "refunded_amount", "orders": "order_count", "leads": "lead_count",
    "new customers": "new_customer_count",
}  # fmt: skip


@click.command("metrics")
@click.option("--user", "user_id", required=True, help="Whose figures.")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3660), help="So many days.")
@click.option("--source", "source_id", help="Of this source only.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@plain_errors
def metrics_command(user_id: str, days: int, source_id: str | None, as_json: bool) -> None:
    """The last days with figures, their totals, and how fresh the sources are."""
    from reports import user_figures as figures

    _, warehouse, moment = opened_for_reading()
    with warehouse.session() as session:
        user = figures.read_user(session, user_id)
        sources = figures.sources(session, user)
        known = [one["source_id"] for one in sources]
        if source_id and source_id not in known:
            raise click.ClickException(f"{user_id} has no source {source_id}; known are {', '.join(known)}.")
        span = figures.period(session, user, days, source_id)
        rows = figures.daily(session, user, span, source_id) if span else []
    shown = [one for one in sources if source_id in (None, one["source_id"])]
    summed = figures.totals(rows)
    if as_json:
        content = {"user": vars(user), "days": rows, "totals": summed, "sources": shown, "as_of": moment}
        click.echo(json.dumps(content, default=str, indent=2))
        return
    console = Console()
    if moment:
        click.echo(moment)
    console.print(f"[bold]{user.title}[/bold]  days of {user.time_zone}, amounts in {user.currency}\n")
    if rows:
        _print_days(console, rows, summed, user.digits)
    else:
        click.echo("No figures yet: no source has given a lead, a customer or an order that could be read.\n")
    console.print(_sources(shown))
    # No column: other people's words would be broken up to fit it.
    for one in shown:
        if why := _why(one):
            click.echo(f"{one['source_id']}: {why}")


def _print_days(
    console: Console, rows: Sequence[Mapping[str, Any]], summed: Mapping[str, Any], digits: int
) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("day", "gross", "refunds", "net", "orders", "leads", "converted", "new"):
        table.add_column(name, justify="left" if name == "day" else "right", no_wrap=True)
    columns = (
        "gross_amount", "refunded_amount", "net_amount", "order_count", "lead_count", "converted_lead_count",
        "new_customer_count",
    )  # fmt: skip
    for row in rows:
        table.add_row(str(row["metric_date"]), *(_number(row[name], digits) for name in columns))
    table.add_section()
    table.add_row("total", *(_number(summed[name], digits) for name in columns), style="bold")
    console.print(table)
    for name, column in _SPARKS.items():
        console.print(f"{name:<14} {sparkline([float(row[column]) for row in rows])}", highlight=False)
    ratios = [
        f"average order {_number(summed['average_order_amount'], digits)}" if summed["order_count"] else "",
        f"{summed['conversion_share']:.1%} of leads converted" if summed["lead_count"] else "",
        f"{summed['unconverted_order_count']} orders without an exchange rate are in no sum"
        if summed["unconverted_order_count"]
        else "",
    ]
    console.print("\n" + ", ".join(filter(None, ratios)) + "\n", highlight=False)


def sparkline(values: Sequence[float]) -> str:
    """One bar a value, the highest is full; nothing and less is the lowest."""
    top = max(values, default=0)
    return "".join(_BARS[round(max(value, 0) / top * (len(_BARS) - 1)) if top > 0 else 0] for value in values)


def _sources(sources: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("source", "last run", "read", "last change", "records", "rejected"):
        table.add_column(name, justify="right" if name in ("records", "rejected") else "left", no_wrap=True)
    for one in sources:
        table.add_row(
            one["source_id"], one["outcome"] or "never", _time(one["finished_at"]), _time(one["landed_at"]),
            str(one["records"]), str(one["rejected"]),
        )  # fmt: skip
    return table


def _why(source: Mapping[str, Any]) -> str:
    if source["outcome"] in (None, "complete"):
        return ""
    if source["outcome"] != "capped" and source["next_try_at"] is None:
        return f"{source['error']} (paused; `karvon sources list`)"
    return str(source["error"])


def _number(value: Any, digits: int) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def _time(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if value else ""
