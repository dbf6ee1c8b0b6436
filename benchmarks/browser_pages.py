"""How the app's own pages answer in a browser: sliders, samples, and the time to open a page.

All of them look at a recorded run; `browser.py` runs them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

Figures = dict[str, Any]

RUN = "vade-k10"
# What tells that a page's own content has been drawn.
PAGES: dict[str, str] = {
    "time-machine": ".lm[data-draws]",
    "clusters": ".cs[data-ready]:not([data-drawn='0'])",
    "interpolate": ".ip-path[data-drawn]",
    "compare": ".lm[data-draws]",
    "how-many-clusters": "table",
    "lesson": "canvas",
    "papers": ".st-key-pp-source",
}

# From a slider's event, at any time within a frame, to the end of the browser's frame that shows
# the new digit: a task that is put up in an animation frame runs after that frame is painted.
SLIDE = """async (path, moves) => {
  const slider = path.getRootNode().querySelector(".ip-inset .ip-slider");
  const frame = () => new Promise(requestAnimationFrame);
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const found = [];
  for (let i = 0; i < moves; i += 1) {
    const share = (i * 0.618) % 1;
    await wait(20 + 17 * share);
    const before = path.dataset.drawn;
    const began = performance.now();
    slider.value = Number(slider.min) + share * (Number(slider.max) - Number(slider.min));
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    do await frame(); while (path.dataset.drawn === before);
    await wait(0);
    found.push(performance.now() - began);
  }
  return found;
}"""

# From a slider's event to the last of all samples on its canvas, and the frame after it.
SAMPLE = """async (studio, draws) => {
  const seed = studio.querySelector("input[data-set=seed]");
  const frame = () => new Promise(requestAnimationFrame);
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const found = [];
  for (let i = 1; i <= draws; i += 1) {
    await wait(20 + 17 * ((i * 0.618) % 1));
    const before = studio.dataset.drawn;
    const began = performance.now();
    seed.value = i;
    seed.dispatchEvent(new Event("input", { bubbles: true }));
    do await frame(); while (studio.dataset.drawn === before);
    await wait(0);
    found.push(performance.now() - began);
  }
  return { times: found, samples: Number(studio.dataset.samples) };
}"""


def interpolation_slider(bench: Any) -> Figures:
    """Milliseconds from the slider's event to the digit's pixels."""
    with bench.app_page(f"/interpolate?run={RUN}") as page:
        path = page.locator(PAGES["interpolate"]).first
        path.wait_for()
        page.wait_for_timeout(1000)
        times = path.evaluate(f"(path) => ({SLIDE})(path, 60)")[10:]
    return {
        "value": round(statistics.median(times), 1),
        "most_ms": round(max(times), 1),
        "moves": len(times),
    }


def hundred_samples(bench: Any) -> Figures:
    """Milliseconds from a new seed to ten samples of each of ten clusters."""
    with bench.app_page(f"/clusters?run={RUN}") as page:
        studio = page.locator(PAGES["clusters"]).first
        studio.wait_for()
        page.wait_for_timeout(1000)
        found = studio.evaluate(f"(studio) => ({SAMPLE})(studio, 20)")
    if found["samples"] != 100:
        raise ValueError(f"the page shows {found['samples']} samples in place of 100.")
    times = found["times"][5:]
    return {"value": round(statistics.median(times), 1), "most_ms": round(max(times), 1)}


def seconds_to_open(page: Any, address: str, name: str) -> float:
    """From following a page's link until its own content is drawn."""
    query = "" if name in ("compare", "how-many-clusters", "papers") else f"?run={RUN}"
    began = time.perf_counter()
    page.goto(f"{address}/{name}{query}")
    page.locator(PAGES[name]).first.wait_for()
    return round(time.perf_counter() - began, 2)


def opening_pages(bench: Any) -> Figures:
    """Seconds until each page has drawn its content, by link, the server being warm.

    Two openings of each page are told: in a browser that has seen the app, which is the one that
    counts, and in one that has not and first fetches Streamlit's own scripts.
    """
    with bench.app() as address:
        with bench.page() as page:
            for _ in range(2):  # the first round warms server and browser
                again = {}
                for name in PAGES:
                    again[name] = seconds_to_open(page, address, name)
                    page.wait_for_timeout(1500)
        fresh = {}
        for name in PAGES:
            with bench.page() as page:
                fresh[name] = seconds_to_open(page, address, name)
    return {"value": max(again.values()), "seen_before": again, "never_seen": fresh}


MEASURES: dict[str, tuple[str, str, float, Callable[[Any], Figures]]] = {
    "slider": ("Interpolation slider, input to pixels, median", "ms", 30, interpolation_slider),
    "samples": ("Ten new samples of ten clusters, median", "ms", 200, hundred_samples),
    "pages": ("Slowest page to open, server and browser warm", "s", 1.5, opening_pages),
}
"""Title, unit, the most that is good enough, and the measurement, by name."""
