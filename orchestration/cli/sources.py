"""Data sources of users: add, test, list, validate, disable; sign in to those that need it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import click
import yaml

from karvon.settings import PROJECT_ROOT, Settings
from orchestration.cli.exit_status import FAILURE
from orchestration.cli.session import opened, plain_errors

_MODELINE = "# yaml-language-server: $schema={schema}\n"


@click.group("sources")
def sources_command() -> None:
    """Data sources of users, each one YAML file in KARVON_SOURCES_DIR (docs/user_apis.md)."""


@sources_command.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@plain_errors
def list_sources(as_json: bool) -> None:
    """Every source, how its last run ended, and when it is tried again."""
    from datetime import UTC, datetime

    from orchestration.user_apis import declared_sources
    from pipelines.sources.user_apis import status

    settings, warehouse = opened()
    registry = declared_sources(settings)
    with warehouse.session() as session:
        last = status.last_runs(session)
    rows = [
        {
            "source": source.connection,
            "resources": ", ".join(resource.name for resource in source.resources),
            "last_run": last[source.connection].finished_at if source.connection in last else None,
            "outcome": last[source.connection].outcome if source.connection in last else "never read",
            "waits": status.why_not_now(source, last.get(source.connection), datetime.now(UTC)),
        }
        for source in registry.sources
    ]
    if as_json:
        click.echo(json.dumps(rows, default=str, indent=2))
        return
    for row in rows:
        at = f"{row['last_run']:%Y-%m-%d %H:%M} UTC" if row["last_run"] else ""
        click.echo(f"{row['source']:<32} {row['outcome']:<14} {at:<22} {row['resources']}")
        if row["waits"]:
            click.echo(f"{'':<32} {row['waits']}")
    if not rows:
        click.echo(f"No source is declared in {settings.sources_path}; `karvon sources add` makes one.")
    _tell(registry.problems)


@sources_command.command("validate")
@plain_errors
def validate_sources() -> None:
    """Check every file: problems come with file, line and key."""
    from orchestration.user_apis import declared_sources

    settings, _ = opened()
    registry = declared_sources(settings)
    _tell(registry.problems)
    click.echo(f"{len(registry.sources)} sources are fine, {len(registry.problems)} problems.")
    raise click.exceptions.Exit(FAILURE if registry.problems else 0)


@sources_command.command("schema")
@plain_errors
def write_schema() -> None:
    """Write the JSON Schema that editors check the files with."""
    settings, _ = opened()
    click.echo(f"Wrote {_schema_written(settings)}")


def _schema_written(settings: Settings) -> Path:
    from pipelines.sources.user_apis.registry import json_schema

    path = settings.sources_path / "data_source.schema.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")
    return path


@sources_command.command("test")
@click.argument("source")
@plain_errors
def test_source(source: str) -> None:
    """Read two pages of each resource and show what becomes of them, cleaned and added up; nothing is landed."""
    from orchestration.sandbox_process import running_sandbox
    from orchestration.user_apis import declared_sources
    from pipelines.sources.user_apis.sample import read_sample, report

    settings, warehouse = opened()
    registry = declared_sources(settings)
    found = _one(settings, source)
    with running_sandbox(settings):
        for resource in found.resources:
            sample = read_sample(found, resource, _surroundings(settings, warehouse))
            first, *more = [len(page) for page in sample.pages] or [0]
            second = sample.problem or (f"{more[0]} on the second" if more else "no second page")
            click.echo(
                f"{resource.name}: {first} records on the first page, paging: {sample.paginator['type']}, {second}"
            )
            for line in report(found, resource, sample, _currency_digits()):
                click.echo(f"  {line}")
    _tell(registry.problems)


@sources_command.command("disable")
@click.argument("source")
@click.option("--enable", is_flag=True, help="Switch it on again.")
@plain_errors
def disable_source(source: str, enable: bool) -> None:
    """Take a source out of the runs (or back in); its data stays."""
    from orchestration.user_apis import declared_sources

    settings, _ = opened()
    _one(settings, source)
    path = declared_sources(settings).files[source]
    text = re.sub(r"(?m)^enabled:.*\n", "", path.read_text(encoding="utf-8"))
    path.write_text(text if enable else f"{text.rstrip()}\nenabled: false\n", encoding="utf-8")
    click.echo(f"{source} is {'enabled' if enable else 'disabled'}.")


@sources_command.command("add")
@click.option("--user", "user_id", prompt="User id (lower case, e.g. anna)")
@click.option("--source", "source_id", prompt="Source id (e.g. crm)")
@click.option("--url", "base_url", prompt="Base URL (e.g. https://api.example.com/v1)")
@click.option("--path", prompt="Path of a list (e.g. orders, or orders?per_page=100)")
@click.option(
    "--auth",
    type=click.Choice(["none", "bearer", "basic", "api_key"]),
    default="none",
    prompt="Authentication",
)
@click.option("--secret", help="Name of the variable that holds the token, key or password.")
@click.option("--username", help="For basic authentication.")
@click.option("--since-param", default="", prompt="Query parameter for 'changed since' (empty: none)")
@click.option("--yes", is_flag=True, help="Take every proposal.")
@plain_errors
def add_source(
    user_id: str, source_id: str, base_url: str, path: str, auth: str, secret: str | None,
    username: str | None, since_param: str, yes: bool,
) -> None:  # fmt: skip
    """Ask, read a sample, propose paging, key, cursor, entity and fields, and write the YAML."""
    from pipelines.sources.user_apis.definition import DataSource
    from pipelines.sources.user_apis.registry import read_yaml
    from pipelines.sources.user_apis.sample import proposed, read_sample

    settings, warehouse = opened()
    file = settings.sources_path / user_id / f"{source_id}.yml"
    if file.exists():
        raise click.ClickException(f"{file} exists; edit it, or choose another source id.")
    draft = _draft(user_id, source_id, base_url, path, auth, secret, username)
    source = _valid(draft, file)
    sample = read_sample(source, source.resources[0], _surroundings(settings, warehouse))
    proposal = proposed(draft, sample, since_param or None, _currency_digits())
    text = yaml.safe_dump(proposal.definition, sort_keys=False, allow_unicode=True)
    click.echo(f"\n{text}")
    open_points = "".join(f"# open: {question}\n" for question in proposal.questions)
    if proposal.suggested:
        suggested = yaml.safe_dump(proposal.suggested, sort_keys=False, allow_unicode=True)
        open_points += "# Not proven by the sample; what is right goes to the resource above:\n"
        open_points += "".join(f"#   {line}\n" for line in suggested.splitlines())
    click.echo(open_points)
    _, problems = read_yaml(DataSource, text, file.name)
    _tell(problems)
    if not yes and not click.confirm(f"Write {file}?", default=True):
        raise click.Abort
    _schema_written(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        _MODELINE.format(schema="../data_source.schema.json") + text + open_points, encoding="utf-8"
    )
    click.echo(f"Wrote {file}. Next: edit what is open, then `karvon sources test {user_id}/{source_id}`.")


def _draft(
    user_id: str,
    source_id: str,
    base_url: str,
    path: str,
    auth: str,
    secret: str | None,
    username: str | None,
) -> dict[str, Any]:
    how: dict[str, Any] = {"type": auth}
    if auth != "none":
        variable = secret or click.prompt("Variable that holds the secret (e.g. ANNA_CRM_TOKEN)")
        how[{"bearer": "token", "basic": "password", "api_key": "value"}[auth]] = f"${{{variable}}}"
    if auth == "basic":
        how["username"] = username or click.prompt("User name")
    path, _, query = path.partition("?")
    name = re.sub(r"\W+", "_", path.rstrip("/").rsplit("/", 1)[-1]).lower().strip("_") or "records"
    params = {"params": dict(parse_qsl(query))} if query else {}
    return {
        "user_id": user_id, "source_id": source_id, "base_url": base_url, "auth": how,
        "resources": [{"name": name, "path": path.lstrip("/"), **params, "key": "id"}],
    }  # fmt: skip


def _valid(draft: dict[str, Any], file: Path) -> Any:
    from pipelines.sources.user_apis.definition import DataSource
    from pipelines.sources.user_apis.registry import read_yaml

    source, problems = read_yaml(DataSource, yaml.safe_dump(draft, sort_keys=False), file.name)
    if source is None:
        raise click.ClickException("\n".join(f"{problem.key}: {problem.message}" for problem in problems))
    return source


def _currency_digits() -> dict[str, int]:
    """Digits of the smallest unit by currency, as the models have them."""
    try:
        with (PROJECT_ROOT / "dbt_project" / "seeds" / "currencies.csv").open(encoding="utf-8") as file:
            return {row["currency"]: int(row["exponent"]) for row in csv.DictReader(file)}
    except (OSError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise click.ClickException(
            f"dbt_project/seeds/currencies.csv cannot be read ({error}); it has the columns currency and exponent, "
            "the digits of the smallest unit"
        ) from None


def _one(settings: Settings, name: str) -> Any:
    from orchestration.user_apis import declared_sources

    registry = declared_sources(settings)
    for source in registry.sources:
        if name in (source.connection, source.source_id):
            return source
    _tell(registry.problems)
    known = ", ".join(source.connection for source in registry.sources) or "none"
    raise click.ClickException(f"There is no source {name}; known are {known}.")


def _surroundings(settings: Settings, warehouse: Any) -> Any:
    from orchestration.user_apis import surroundings

    return surroundings(settings, warehouse)


def _tell(problems: Any) -> None:
    for problem in problems:
        click.echo(str(problem), err=True)
