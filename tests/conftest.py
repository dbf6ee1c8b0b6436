"""What the tests of the app share: a folder for runs, a server, and a browser."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

# Tests run two at a time: each has a core to itself. Set before anything imports torch.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]


@dataclass(frozen=True)
class AppServer:
    """A running app: its address without a slash at the end, and where its runs live."""

    url: str
    runs: Path


def opened_page(page: str = "start", **query: str) -> AppTest:
    """A page of the app, gone to by way of the first page, with a link's parameters."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    if page != "start":
        app.run()
        app.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Add to a failure what the browser showed and what the server said."""
    report = yield
    known: dict[str, Any] = getattr(item, "funcargs", {})
    if call.when != "call" or not report.failed or "app_server" not in known:
        return report
    for page in (known[name] for name in ("page", "telephone") if name in known):
        try:
            shown = f"{page.url}\n{page.locator('body').inner_text(timeout=2000)}"
        except Exception as error:  # a browser that hangs must not hide the failure itself
            shown = f"It could not be read: {error}"
        report.sections.append(("The page", shown[:4000]))
    log = known["tmp_path"] / "server.log"
    if log.exists():
        report.sections.append(("The server", log.read_text(errors="replace")[-4000:]))
    return report


@pytest.fixture(scope="session", autouse=True)
def no_recorded_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The recordings that are shipped are no part of a test that does not ask for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VADE_RECORDED", str(tmp_path_factory.mktemp("recorded")))
        yield


@pytest.fixture
def runs_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for runs, which VADE_RUNS names."""
    root = tmp_path / "runs"
    root.mkdir()
    monkeypatch.setenv("VADE_RUNS", str(root))
    return root


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A Chromium to drive; where there is none the test is skipped, or fails under CI=true."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _no_browser("playwright is not installed")
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    with sync_playwright() as playwright:
        path = found or playwright.chromium.executable_path
        if not Path(path).exists():
            _no_browser("no Chromium was found")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def _no_browser(why: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{why}; the browser tests are required here")
    pytest.skip(why)


@pytest.fixture
def app_server(runs_root: Path, tmp_path: Path) -> Iterator[AppServer]:
    """The app on a free port, with ``runs_root`` as its runs' folder; stopped afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py")),
                *("--server.headless", "true"),
                *("--server.address", "127.0.0.1"),
                *("--server.port", str(port)),
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "VADE_RUNS": str(runs_root)},
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(server, f"{url}/_stcore/health", log)
        yield AppServer(url, runs_root)
    finally:
        server.terminate()
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_up(server: subprocess.Popen[bytes], health: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(health, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"The server did not come up: {log.read_text(errors='replace')[-2000:]}")
