"""Pictures for the docs: pages of a plan and of a user, Dagster's lineage, the sandbox's shop, by headless Chromium.

`make screenshots`. Uses the sandbox world in KARVON_HOME and lets it move on by a day, which is planned and not
applied; run `make run` first. Needs `chromium` on the PATH.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from karvon.settings import PROJECT_ROOT, load_settings
from sandbox.demo.world import FIRST_DAY

PORT = 3055
LINEAGE = f"http://127.0.0.1:{PORT}/assets/webflow/products?view=lineage&lineageScope=upstream&lineageDepth=7"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def main() -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("Chromium is not on the PATH; on Debian: apt-get install chromium")
    settings = load_settings()
    karvon = Path(sys.executable).with_name("karvon")
    ui = subprocess.Popen(
        [karvon, "dev", "--port", str(PORT)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(f"http://127.0.0.1:{PORT}/server_info")
        _take(browser, f"{settings.sandbox_url}/shop", PROJECT_ROOT / "docs" / "shop.png", "1280,860")
        _take(browser, LINEAGE, PROJECT_ROOT / "docs" / "lineage.png", "1900,1150")
        with tempfile.TemporaryDirectory() as folder:
            page = _plan(karvon, settings.sandbox_url, Path(folder) / "plan.html")
            picture = PROJECT_ROOT / "docs" / "plan.png"
            _take(
                browser,
                f"{page.as_uri()}#kind=update&field=main-image&open={_with_pictures(karvon)}",
                picture,
                "1180,1750",
            )
            report = _report(karvon, settings.sandbox_url, Path(folder))
            _take(browser, report.as_uri(), PROJECT_ROOT / "docs" / "user_report.png", "1280,1430")
            _take(browser, report.as_uri(), PROJECT_ROOT / "docs" / "user_report_phone.png", "390,1560")
    finally:
        ui.terminate()
        ui.wait(timeout=60)


def _plan(karvon: Path, sandbox: str, page: Path) -> Path:
    """The page after a day in the PIM and some edits by hand in the shop."""
    _control(sandbox, "/plytix/next-day", {})
    products = _control(sandbox, "/webflow/shop?ids=true")["products"]
    name, price = products[3], products[5]["skus"][0]
    edits = (
        ("product", name["id"], {"name": f"Summer sale! {name['fields']['name']}"}),
        ("product", products[8]["id"], {"seo-title": "Edited by marketing"}),
        ("sku", price["id"], {"price": {"value": 100, "unit": "USD"}}),
    )
    for collection, item, fields in edits:
        _control(sandbox, "/webflow/edit", {"collection": collection, "item": item, "fieldData": fields})
    subprocess.run([karvon, "run", "--plan-only"], check=False, capture_output=True)
    subprocess.run([karvon, "plan", "show", "--html", page], check=True, capture_output=True)
    return page


def _report(karvon: Path, sandbox: str, folder: Path) -> Path:
    """A user's page after the demo world has lived until yesterday."""
    lived = _control(sandbox, "/demo/next-day", {"days": 0})["days"]
    missing = date.today() - timedelta(days=1) - (FIRST_DAY + timedelta(days=lived - 1))
    _control(sandbox, "/demo/next-day", {"days": max(0, missing.days)})
    subprocess.run([karvon, "run", "--select", '+key:"user_apis/reports"'], check=False, capture_output=True)
    subprocess.run([karvon, "report", "--user", "anna", "--out", folder], check=True, capture_output=True)
    return folder / "anna.html"


def _with_pictures(karvon: Path) -> str:
    """The row of the plan that gets a new picture."""
    told = subprocess.run([karvon, "plan", "show", "--json"], check=True, capture_output=True).stdout
    return next(
        str(one["key"])
        for one in json.loads(told)["operations"]
        if one["action"] == "update" and "main-image" in one["changes"]
    )


def _control(sandbox: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{sandbox}/_control{path}", data=data)  # noqa: S310 - loopback address
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback address
        return json.loads(answer.read())


def _wait_for(url: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 - loopback address made here
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
        else:
            return
    sys.exit(f"{url} did not answer within {seconds:.0f} s")


def _take(browser: str, url: str, target: Path, size: str) -> None:
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [browser, *FLAGS, f"--user-data-dir={profile}", f"--window-size={size}",
             "--virtual-time-budget=25000", f"--screenshot={target}", url],
            check=True, capture_output=True, timeout=180,
        )  # fmt: skip
    print(f"{target.relative_to(PROJECT_ROOT)}: {target.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
