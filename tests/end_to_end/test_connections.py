"""Two Plytix accounts and two Webflow sites: side by side, never mixed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from karvon_command import Karvon, copy_project, free_port

CONNECTIONS = """
plytix:
  default: {api_key: PLYTIX_API_KEY, api_password: PLYTIX_API_PASSWORD}
  eu: {api_key: PLYTIX_EU_API_KEY, api_password: PLYTIX_EU_API_PASSWORD}
webflow:
  default: {api_token: WEBFLOW_API_TOKEN, site_id: WEBFLOW_SITE_ID}
  outlet: {api_token: WEBFLOW_OUTLET_API_TOKEN, site_id: WEBFLOW_OUTLET_SITE_ID}
"""


@pytest.fixture
def two_of_each(tmp_path: Path) -> Iterator[Karvon]:
    """A project tree of its own, because the test edits it."""
    file = tmp_path / "connections.yml"
    file.write_text(CONNECTIONS)
    project = copy_project(tmp_path / "project")
    karvon = Karvon(tmp_path / "home", free_port(), project, {"KARVON_CONNECTIONS_FILE": str(file)})
    karvon.serve()
    yield karvon
    karvon.stop_serving()


def written(shop: dict[str, Any]) -> set[str]:
    return {product["fields"]["slug"] for product in shop["products"] if not product["hand_made"]}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_accounts_and_two_sites_are_kept_apart(two_of_each: Karvon) -> None:
    first = two_of_each("run")
    assert first.status == 0, first.output
    landed = {
        (row["connection"], row["of"]): row["rows"]
        for row in two_of_each.rows(
            "SELECT connection, 'plytix' AS of, count(*) AS rows FROM raw_plytix.products GROUP BY 1 "
            "UNION ALL SELECT connection, 'webflow', count(*) FROM raw_webflow.sites GROUP BY 1"
        )
    }
    assert landed["default", "plytix"] > 0
    assert landed["eu", "plytix"] > 0
    assert landed["default", "webflow"] == landed["outlet", "webflow"] == 1
    keys = {
        row["account"]
        for row in two_of_each.rows(
            "SELECT DISTINCT split_part(product_key, ':', 1) AS account FROM marts.products"
        )
    }
    assert keys == {"default", "eu"}
    main_shop = two_of_each.sandbox.shop()
    assert written(main_shop)
    assert not written(two_of_each.sandbox.shop("outlet"))

    aim_at_the_outlet(two_of_each.project)
    second = two_of_each("run")
    assert second.status == 0, second.output
    assert written(two_of_each.sandbox.shop("outlet")) == written(main_shop)
    assert two_of_each.sandbox.shop() == main_shop
    third = two_of_each("run")
    assert " 0 changes" in third.line("plan and apply")


def aim_at_the_outlet(project: Path) -> None:
    folder = project / "dbt_project" / "models" / "activation" / "webflow"
    models, collections = folder / "_webflow__models.yml", folder / "_webflow__collections.yml"
    models.write_text(models.read_text().replace("connection: default", "connection: outlet"))
    # The outlet has a store and no collections of its own.
    collections.write_text(collections.read_text().replace("{enabled: true,", "{enabled: false,"))
    settings = project / "dbt_project" / "dbt_project.yml"
    settings.write_text(
        settings.read_text().replace("webflow_connection: default", "webflow_connection: outlet")
    )
