"""How the app moves in a browser: frames a second, and seconds until something moves.

Chromium with software drawing, on this machine, against servers that this command starts on the
loopback address and stops again. Frames are counted where the map draws them, once an animation
frame of the browser, which waits for the drawing of the last one. Run it on a quiet machine.

A measurement is a function that takes a `Bench` and returns figures; put yours into MEASUREMENTS.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from vade_core.idle_threads import let_idle_threads_sleep  # noqa: E402

let_idle_threads_sleep()

from arguments import Parser, positive  # noqa: E402
from browser_pages import MEASURES  # noqa: E402
from machine import load_words, machine_load  # noqa: E402

from vade_core.runs import list_runs, recorded_root  # noqa: E402

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
WINDOW = {"width": 1280, "height": 800}
# Milliseconds that a page may take to show what is waited for.
PATIENCE = 120_000

# A page with one map of made-up points that wander between ten islands; run by Streamlit.
MAP_PAGE = """
import numpy as np
import streamlit as st
from pages.shared.latent_map import latent_map
from vade_core.map_frames import MapFrames

st.set_page_config(layout="wide")
n, count = int(st.query_params["points"]), int(st.query_params["frames"])

@st.cache_resource
def made(n, count):
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 10
    angle = 2 * np.pi * labels / 10
    islands = 10 * np.column_stack([np.cos(angle), np.sin(angle)])
    share = np.linspace(0, 1, count)[:, None, None]
    places = islands * share + rng.normal(size=(n, 2)) * (4 - 2 * share)
    places += rng.normal(scale=0.3, size=(count, n, 2))
    gamma = np.full((count, n, 10), 3, np.uint8)
    gamma[:, np.arange(n), labels] = 228
    return MapFrames(
        positions=places.astype(np.float32), epochs=list(range(1, count + 1)),
        phases=["free"] * count, accuracy=list(np.linspace(0.1, 0.97, count)), labels=labels,
        clusters=np.tile(labels, (count, 1)), confidence=gamma.max(axis=2),
        entropy=np.full((count, n), 60, np.uint8),
        responsibilities=gamma if n <= 10_000 else gamma[-1],
        matched=np.tile(np.arange(10), (count, 1)), means=np.tile(10 * np.column_stack(
            [np.cos(2 * np.pi * np.arange(10) / 10), np.sin(2 * np.pi * np.arange(10) / 10)]
        ), (count, 1, 1)), caption="made up", total=70_000,
    )

latent_map(made(n, count), key="map", height=640)
"""

# In the browser: components live in shadow roots, which a document's own search does not enter.
FIND = """
  const find = (words, root = document) => {
    const here = root.querySelector(words);
    if (here) return here;
    for (const node of root.querySelectorAll("*")) {
      const found = node.shadowRoot && find(words, node.shadowRoot);
      if (found) return found;
    }
    return null;
  };
"""
# The moments at which the first map of the page draws.
COUNT_DRAWS = f"""
() => {{
  {FIND}
  window.drawnAt = [];
  window.drawWatch = new MutationObserver(() => window.drawnAt.push(performance.now()));
  window.drawWatch.observe(find(".lm"), {{ attributes: true, attributeFilter: ["data-draws"] }});
}}
"""
TAKE_DRAWS = "() => { window.drawWatch.disconnect(); return window.drawnAt; }"
# A hand that holds the map and moves it in a circle, once an animation frame.
PAN = f"""
(seconds) => new Promise((done) => {{
  {FIND}
  const over = find(".lm-over");
  const box = over.getBoundingClientRect();
  const began = performance.now();
  const step = (now) => {{
    const passed = (now - began) / 1000;
    over.dispatchEvent(new PointerEvent("pointermove", {{
      pointerId: 1, pointerType: "mouse", buttons: 1, bubbles: true,
      clientX: box.x + box.width / 2 + 120 * Math.cos(2 * passed),
      clientY: box.y + box.height / 2 + 120 * Math.sin(2 * passed),
    }}));
    if (passed < seconds) requestAnimationFrame(step);
    else done();
  }};
  requestAnimationFrame(step);
}})
"""
# The first time that a map stands elsewhere in time than when it was first seen.
FIRST_MOVE = f"""
() => {{
  {FIND}
  window.mapSeen = window.mapMoved = null;
  let map = null, first = null;
  const look = () => {{
    if (!map?.isConnected) map = find(".lm[data-position]");
    const place = map?.dataset.position;
    if (place !== undefined && first === null) {{
      first = place;
      window.mapSeen = Date.now();
    }}
    if (first !== null && place !== undefined && place !== first) window.mapMoved = Date.now();
    else setTimeout(look, 25);
  }};
  look();
}}
"""

Figures = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """What a measurement works with.

    Attributes
    ----------
    browser : playwright.sync_api.Browser
    folder : Path
        For its files.
    seconds : float
        How long to look.
    repeats : int
        How often to start anew, where that is measured.
    recorded : Path
        The folder of recorded runs.
    """

    browser: Any
    folder: Path
    seconds: float
    repeats: int
    recorded: Path

    @contextlib.contextmanager
    def page(self) -> Iterator[Any]:
        """An empty page in a browser window of its own."""
        context = self.browser.new_context(viewport=WINDOW)
        found = context.new_page()
        found.set_default_timeout(PATIENCE)
        try:
            yield found
        finally:
            context.close()

    @contextlib.contextmanager
    def app(self) -> Iterator[str]:
        """The address of a server of the app that knows the recorded runs alone."""
        runs = Path(tempfile.mkdtemp(dir=self.folder))
        more = {"VADE_RUNS": str(runs), "VADE_RECORDED": str(self.recorded.resolve())}
        with served(ROOT / "app.py", ROOT, more) as address:
            await_answer(address)
            yield address

    @contextlib.contextmanager
    def app_page(self, place: str) -> Iterator[Any]:
        """A page of the app, as it is when its link is followed."""
        with self.app() as address, self.page() as page:
            page.goto(f"{address}{place}")
            yield page

    @contextlib.contextmanager
    def map_page(self, points: int, frames: int) -> Iterator[Any]:
        """A page that shows a map of made-up points, at rest on its last frame."""
        script = self.folder / "map_page.py"
        script.write_text(MAP_PAGE, encoding="utf-8")
        with served(script, self.folder) as address, self.page() as page:
            await_answer(address)
            page.goto(f"{address}/?points={points}&frames={frames}")
            page.wait_for_selector(".lm[data-draws]")
            page.wait_for_timeout(1500)
            if page.locator(".lm").first.get_attribute("data-renderer") != "webgl2":
                raise ValueError("this browser has no WebGL2: software drawing is not there.")
            yield page


@dataclass(frozen=True)
class Measurement:
    """Something that is measured in the browser.

    Attributes
    ----------
    title : str
    unit : str
    goal : float
    more_is_better : bool
        Whether the goal is the least, or the most, that is good enough.
    measure : callable
        Takes a `Bench`, and returns figures with the one that counts as ``value``.
    """

    title: str
    unit: str
    goal: float
    more_is_better: bool
    measure: Callable[[Bench], Figures]

    def meets(self, value: float) -> bool:
        """Whether a value is good enough."""
        return value >= self.goal if self.more_is_better else value <= self.goal


# -- measurements -----------------------------------------------------------------------------


def rate(moments: Sequence[float]) -> Figures:
    """Frames a second from the moments of drawing, in milliseconds.

    Examples
    --------
    >>> rate([0.0, 20.0, 40.0, 60.0])
    {'value': 50.0, 'frames': 4, 'slowest_ms': 20.0, 'usual_ms': 20.0}

    Raises
    ------
    ValueError
        If nothing moved.
    """
    if len(moments) < 2:
        raise ValueError("the map did not move.")
    steps = [after - before for before, after in itertools.pairwise(moments)]
    ordered = sorted(steps)
    return {
        "value": round(1000 * len(steps) / (moments[-1] - moments[0]), 1),
        "frames": len(moments),
        # Of a hundred frames, all but one are as fast as this.
        "slowest_ms": round(ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))], 1),
        "usual_ms": round(statistics.median(steps), 1),
    }


def playing(points: int) -> Callable[[Bench], Figures]:
    """Frames a second while a map of so many points plays."""

    def measure(bench: Bench) -> Figures:
        # At two and a half frames a second the play lasts longer than anybody looks.
        with bench.map_page(points, frames=int(2.5 * bench.seconds) + 8) as page:
            page.locator("[data-act=play]").first.click()
            page.wait_for_timeout(500)
            page.evaluate(COUNT_DRAWS)
            page.wait_for_timeout(1000 * bench.seconds)
            return rate(page.evaluate(TAKE_DRAWS))

    return measure


def panning(points: int) -> Callable[[Bench], Figures]:
    """Frames a second while a hand moves a map of so many points."""

    def measure(bench: Bench) -> Figures:
        with bench.map_page(points, frames=1) as page:
            box = page.locator(".lm-over").first.bounding_box()
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            page.mouse.down()
            page.evaluate(COUNT_DRAWS)
            page.evaluate(PAN, bench.seconds)
            moments = page.evaluate(TAKE_DRAWS)
            page.mouse.up()
            return rate(moments)

    return measure


def first_moving_map(bench: Bench) -> Figures:
    """Seconds from starting a server of the app to the first map that moves, each time anew.

    The browser is open already, and asks until the server answers.
    """
    if not [s for s in list_runs([bench.recorded]) if s.get("acc") is not None]:
        raise ValueError(f"there is no recorded run in {bench.recorded}: VADE_RECORDED names some.")
    starts = []
    for _ in range(bench.repeats):
        with bench.page() as page:
            page.add_init_script(f"({FIRST_MOVE})()")
            runs = Path(tempfile.mkdtemp(dir=bench.folder))
            began = time.time()
            more = {"VADE_RUNS": str(runs), "VADE_RECORDED": str(bench.recorded.resolve())}
            with served(ROOT / "app.py", ROOT, more) as address:
                await_answer(address)
                answered = time.time()
                page.goto(address)
                page.wait_for_function("() => window.mapMoved", polling=100)
                seen, moved = page.evaluate("() => [window.mapSeen, window.mapMoved]")
        starts.append(
            {
                "answers": round(answered - began, 2),
                "map": round(seen / 1000 - began, 2),
                "moves": round(moved / 1000 - began, 2),
            }
        )
    return {
        "value": max(start["moves"] for start in starts),
        "starts": starts,
        "file_cache": "as it was found for the first start, warm for the others",
    }


MEASUREMENTS: dict[str, Measurement] = {
    "playing-2000": Measurement("Playing 2,000 points", "frames/s", 50, True, playing(2000)),
    "playing-10000": Measurement("Playing 10,000 points", "frames/s", 24, True, playing(10_000)),
    "panning-70000": Measurement("Panning 70,000 points", "frames/s", 15, True, panning(70_000)),
    "first-map": Measurement(
        "From `streamlit run` to the first moving map", "s", 5, False, first_moving_map
    ),
    **{
        name: Measurement(title, unit, goal, False, measure)
        for name, (title, unit, goal, measure) in MEASURES.items()
    },
}
"""Measurements by the name that the command line knows them by."""


# -- servers and browser ----------------------------------------------------------------------


@contextlib.contextmanager
def served(script: Path, folder: Path, more: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of a script that Streamlit runs, in a process of its own, until this ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    before = os.environ.get("PYTHONPATH")
    path = str(ROOT) if not before else str(ROOT) + os.pathsep + before
    words = ["--server.headless", "true", "--server.address", "127.0.0.1"]
    words += ["--server.port", str(port), "--server.fileWatcherType", "none"]
    words += ["--browser.gatherUsageStats", "false"]
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(script), *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": path, **(more or {})},
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def await_answer(address: str) -> None:
    """Wait until a server answers.

    Raises
    ------
    ValueError
        If it does not within two minutes.
    """
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    raise ValueError("the server did not answer.")


@contextlib.contextmanager
def chromium() -> Iterator[tuple[Any, type[Exception]]]:
    """A Chromium that draws in software, and what it raises where a page fails.

    Raises
    ------
    ValueError
        If there is none.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise ValueError("playwright is missing: pip install -r requirements-dev.txt.") from None
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    with sync_playwright() as playwright:
        path = found or playwright.chromium.executable_path
        if not Path(path).exists():
            raise ValueError("no Chromium was found: install one, or run 'playwright install'.")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser, Error
        finally:
            browser.close()


# -- command line -----------------------------------------------------------------------------


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line.

    Raises
    ------
    ValueError
        In one sentence, what is wrong with it.
    """
    parser = Parser(prog="browser", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", default=list(MEASUREMENTS), help="these alone"
    )
    parser.add_argument("--list", action="store_true", help="say what can be measured")
    parser.add_argument(
        "--seconds", type=positive, default=8, help="how long to look at what moves (default: 8)"
    )
    parser.add_argument(
        "--repeats", type=positive, default=3, help="starts of the server (default: 3)"
    )
    parser.add_argument(
        "--recorded", type=Path, help="recorded runs (default: VADE_RECORDED, or assets/runs)"
    )
    parser.add_argument("--json", action="store_true", help="JSON alone on standard output")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.only if name not in MEASUREMENTS]:
        raise ValueError(f"there is no {unknown[0]!r}; there are: {', '.join(MEASUREMENTS)}.")
    return options


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Everything that was asked for, one after the other."""
    found: dict[str, Any] = {}
    before = machine_load()
    scratch = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with chromium() as (browser, problem), scratch as folder:
        recorded = options.recorded or recorded_root()
        bench = Bench(browser, Path(folder), options.seconds, options.repeats, recorded)
        for name in options.only:
            print(f"{MEASUREMENTS[name].title} ...", file=sys.stderr, flush=True)
            entry = MEASUREMENTS[name]
            told = {"title": entry.title, "unit": entry.unit, "goal": entry.goal}
            try:
                figures = entry.measure(bench)
                found[name] = {**told, **figures, "met": entry.meets(figures["value"])}
            except (ValueError, problem) as error:
                found[name] = {**told, "error": str(error).split("\n")[0], "met": False}
        version = browser.version
    return {
        "browser": f"Chromium {version}, software drawing",
        "window": WINDOW,
        "load": {"before": before, "after": machine_load()},
        "measurements": found,
    }


def table(result: Mapping[str, Any]) -> str:
    """The result as Markdown."""
    lines = [
        f"{result['browser']}, {result['window']['width']} x {result['window']['height']}. "
        f"{load_words(result['load'])}",
        "",
        "| measurement | measured | goal | |",
        "|---|---:|---:|---|",
    ]
    notes = []
    for name, row in result["measurements"].items():
        sign = "at least" if MEASUREMENTS[name].more_is_better else "at most"
        if "error" in row:
            lines.append(f"| {row['title']} | - | {sign} {row['goal']:g} {row['unit']} | failed |")
            notes.append(f"{row['title']}: {row['error']}")
            continue
        said = "met" if row["met"] else "missed"
        goal = f"{sign} {row['goal']:g} {row['unit']}"
        lines.append(f"| {row['title']} | {row['value']:g} {row['unit']} | {goal} | {said} |")
        if "usual_ms" in row:
            notes.append(
                f"{row['title']}: {row['frames']} frames, {row['usual_ms']:g} ms from one to the "
                f"next, 99 of 100 within {row['slowest_ms']:g} ms."
            )
        for place, start in enumerate(row.get("starts", ())):
            cache = "file cache as it was found" if place == 0 else "file cache warm"
            notes.append(
                f"Start {place + 1} ({cache}): the server answers after {start['answers']:.2f} s, "
                f"a map is there after {start['map']:.2f} s and moves after {start['moves']:.2f} s."
            )
    return "\n".join([*lines, "", *notes])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit code 1 where a goal is missed, 2 where something is wrong."""
    try:
        options = parse(arguments)
        if options.list:
            print("\n".join(f"{name:16} {m.title}" for name, m in MEASUREMENTS.items()))
            return 0
        result = run(options)
    except (ValueError, OSError) as error:
        print(f"browser: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result, indent=1) if options.json else table(result))
    return 0 if all(row["met"] for row in result["measurements"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
