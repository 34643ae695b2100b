"""The graph is a test: what assets there are, how they hang together, what guards the shop."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import pytest

from karvon.settings import PROJECT_ROOT, export_environment, load_settings
from karvon.warehouse import Warehouse
from orchestration.automation import sync_cron
from orchestration.cli import _COMMANDS, cli
from orchestration.cli.run import selected
from orchestration.definitions import defs
from orchestration.defs.crawl import wanted_slices
from orchestration.defs.operations import tell_about_failures


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> dg.RepositoryDefinition:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KARVON_HOME", str(tmp_path_factory.mktemp("home")))
        export_environment(load_settings())
        return defs().get_repository_def()


def keys(repository: dg.RepositoryDefinition) -> set[str]:
    return {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}


def upstream(repository: dg.RepositoryDefinition, *key: str) -> set[str]:
    graph = repository.asset_graph
    return {found.to_user_string() for found in graph.get_ancestor_asset_keys(dg.AssetKey(list(key)))}


def test_there_is_an_asset_for_every_resource_model_and_sync(repository: dg.RepositoryDefinition) -> None:
    from orchestration.defs.ingestion import SOURCES

    raw = {f"{source.schema}/{resource.name}" for source in SOURCES for resource in source.resources}
    models = {
        f"{path.relative_to(PROJECT_ROOT / 'dbt_project' / 'models').parts[0]}/{path.stem}"
        for path in (PROJECT_ROOT / "dbt_project" / "models").rglob("*.sql")
    }
    shop = {
        f"webflow/{name}" for name in ("categories", "products", "skus", "brands", "spec_sheets", "looks")
    }
    assert raw | models | shop <= keys(repository)
    others = {"files/products", "webhook/held_products"}
    assert {
        key for key in keys(repository) if key.split("/")[0] in {"webflow", "files", "webhook"}
    } == shop | others


def test_every_loaded_resource_is_a_declared_dbt_source_and_the_other_way_round(
    repository: dg.RepositoryDefinition,
) -> None:
    declared = {key for key in keys(repository) if key.startswith("raw_")}
    used = {
        parent.to_user_string()
        for key in repository.asset_graph.get_all_asset_keys()
        for parent in repository.asset_graph.get(key).parent_keys
        if parent.path[0].startswith("raw_")
    }
    assert used <= declared


def test_lineage_runs_from_the_pim_to_the_shop(repository: dg.RepositoryDefinition) -> None:
    above = upstream(repository, "webflow", "skus")
    assert {
        "raw_plytix/products",
        "raw_plytix/assets",
        "staging/stg_plytix__products",
        "marts/product_variants",
        "activation/webflow__skus",
    } <= above


def test_report_pages_come_after_the_marts_in_the_ordinary_run(repository: dg.RepositoryDefinition) -> None:
    above = upstream(repository, "user_apis", "reports")
    assert {"raw_user_apis/records", "marts/user_metrics_daily", "marts/customer_cohorts"} <= above
    in_job = {key.to_user_string() for key in repository.get_job("sync_job").asset_layer.selected_asset_keys}
    assert "user_apis/reports" in in_job
    assert "user_apis/data_source" not in in_job


def test_every_asset_says_what_it_is_and_whose(repository: dg.RepositoryDefinition) -> None:
    graph = repository.asset_graph
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert list(node.owners) == ["team:commerce"], key
        assert node.group_name != "default", key


def test_a_failed_test_of_a_model_stops_what_reads_it_and_not_the_whole_step(
    repository: dg.RepositoryDefinition,
) -> None:
    graph = repository.asset_graph
    # A blocking check would fail the step of dbt, and with it every destination.
    assert [check for check in graph.asset_check_keys if graph.get(check).blocking] == []
    told = {check.asset_key.to_user_string() for check in graph.asset_check_keys if check.name == "is_built"}
    assert {"staging/stg_plytix__products", "marts/products", "activation/webflow__products"} <= told


def test_the_shop_has_its_own_checks(repository: dg.RepositoryDefinition) -> None:
    checks = {(key.asset_key.to_user_string(), key.name) for key in repository.asset_graph.asset_check_keys}
    for asset in ("webflow/categories", "webflow/products", "webflow/skus"):
        assert {(asset, "plan_is_within_guards"), (asset, "shop_equals_view")} <= checks


def test_there_is_a_job_for_each_kind_of_work(repository: dg.RepositoryDefinition) -> None:
    jobs = [job.name for job in repository.get_all_jobs() if not job.name.startswith("__")]
    assert sorted(jobs) == [
        "apply_plan", "approve_rows", "crawl_job", "data_source_job", "market_job", "retry_errors", "sync_job",
        "undo_plan",
    ]  # fmt: skip
    assert [schedule.name for schedule in repository.schedule_defs] == ["sync_schedule"]
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "failed_run_sensor", "crawl_sensor", "publish_after_success_sensor", "publish_after_failure_sensor",
    }  # fmt: skip


def test_all_that_reads_uzum_shares_one_pool(repository: dg.RepositoryDefinition) -> None:
    pools = {
        node.name: node.definition.pool
        for job in ("market_job", "crawl_job")
        for node in repository.get_job(job).nodes
    }
    assert pools["load_uzum"] == pools["crawl__uzum_slices"] == "uzum_api"


def test_plain_runs_leave_the_markets_out_unless_they_are_wanted(
    repository: dg.RepositoryDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(job: str, found: dg.RepositoryDefinition) -> set[str]:
        return {key.to_user_string() for key in found.get_job(job).asset_layer.selected_asset_keys}

    shop, market = of("sync_job", repository), of("market_job", repository)
    assert {"raw_uzum/products", "raw_uzex/auction_deals", "staging/stg_uzum__products"} <= market
    assert shop & market == {"marts/rejected_documents"}, "what any source got wrong"
    made = {key.to_user_string() for key in repository.asset_graph.materializable_asset_keys}
    assert shop | market | {"crawl/uzum_slices", "user_apis/data_source"} == made
    monkeypatch.setenv("KARVON_MARKETS", "true")
    assert of("sync_job", defs().get_repository_def()) == shop | market


@pytest.mark.parametrize("select", ['+key:"user_apis/reports"', '+key:"activation/webflow__skus"', "market"])
def test_a_selection_takes_what_is_made_together(select: str, repository: dg.RepositoryDefinition) -> None:
    job, chosen = selected(select, repository)
    assert chosen
    assert job.get_subset(asset_selection=set(chosen)).asset_layer.selected_asset_keys >= set(chosen)


def test_a_table_of_both_jobs_does_not_take_the_markets_out_of_their_own_run(
    repository: dg.RepositoryDefinition,
) -> None:
    job, chosen = selected("market", repository)
    assert job.name == "market_job"
    assert {dg.AssetKey(["raw_uzum", "products"]), dg.AssetKey(["marts", "rejected_documents"])} <= set(
        chosen or ()
    )
    assert set(chosen or ()) == job.asset_layer.selected_asset_keys
    for of_runs in (
        'key:"marts/rejected_documents"',
        "not group:files and not group:webhook",
        "group:plytix",
    ):
        assert selected(of_runs, repository)[0].name == "sync_job"


def test_the_crawl_asks_for_the_stalest_slices_within_its_requests(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("orchestration.defs.crawl.sandbox_time", lambda *_: None)
    monkeypatch.setenv("UZUM_LAST_ID", "5000")
    settings = load_settings()
    warehouse = Warehouse(f"duckdb:///{tmp_path / 'empty.duckdb'}")
    instance = dg.DagsterInstance.ephemeral()
    asked = wanted_slices(settings, warehouse, instance)
    assert isinstance(asked, dg.SensorResult)
    assert [run.partition_key for run in asked.run_requests or ()][:2] == [
        "default ids 1-1000",
        "default ids 1001-2000",
    ]
    new = asked.dynamic_partitions_requests
    assert new is not None
    assert set(new[0].partition_keys) >= {"default revisit", "default ids 4001-5000"}


@pytest.mark.parametrize(
    ("minutes", "cron"),
    [
        (1, "*/1 * * * *"),
        (30, "*/30 * * * *"),
        (45, "*/30 * * * *"),
        (59, "*/30 * * * *"),
        (60, "0 */1 * * *"),
        (150, "0 */2 * * *"),
        (1440, "0 0 * * *"),
    ],
)
def test_the_interval_becomes_a_cron_line_that_is_never_slower(minutes: int, cron: str) -> None:
    assert sync_cron(minutes) == cron


@pytest.fixture
def failed_run() -> dg.RunFailureSensorContext:
    instance = dg.DagsterInstance.ephemeral()

    @dg.op
    def fails() -> None:
        raise dg.Failure("no")

    @dg.job
    def failing() -> None:
        fails()

    result = failing.execute_in_process(instance=instance, raise_on_error=False)
    event = next(event for event in result.all_events if event.is_run_failure)
    return dg.build_run_status_sensor_context(
        sensor_name="failed_run_sensor",
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        dagster_event=event,
    ).for_run_failure()


def test_a_failed_run_is_told_to_the_webhook(
    monkeypatch: pytest.MonkeyPatch, failed_run: dg.RunFailureSensorContext
) -> None:
    received: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("KARVON_UI_URL", "https://dagster.example/")
        monkeypatch.setenv("KARVON_ALERT_WEBHOOK_URL", f"http://127.0.0.1:{server.server_port}/hook")
        tell_about_failures(failed_run)
    assert len(received) == 1
    text = json.loads(received[0])["text"]
    assert text.startswith("Karvon: failing run ")
    assert text.endswith(f"failed. no\nhttps://dagster.example/runs/{failed_run.dagster_run.run_id}")


def test_without_a_webhook_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, failed_run: dg.RunFailureSensorContext
) -> None:
    monkeypatch.delenv("KARVON_ALERT_WEBHOOK_URL", raising=False)
    tell_about_failures(failed_run)


def test_every_command_of_the_help_exists(capsys: pytest.CaptureFixture[str]) -> None:
    context = cli.make_context("karvon", [], resilient_parsing=True)
    for name in _COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.help, name


def test_help_imports_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys; from orchestration.cli import cli; cli.main(['--help'], standalone_mode=False); "
        "print(sorted({'dagster', 'dbt', 'dlt', 'duckdb', 'pydantic', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_definitions_load_without_dbt_core() -> None:
    """It runs as a process of its own, and importing it takes as long as everything else."""
    asked = "import sys, orchestration.defs.transformation; print([m for m in sys.modules if m.split('.')[0] == 'dbt'])"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
