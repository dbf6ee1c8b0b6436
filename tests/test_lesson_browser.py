"""The lesson in a real Chromium: keys, sliders, formulas and the present mode."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st

from pages.shared.exploration import explore
from pages.shared.lesson_facts import changes_of_mind, digits_of, neighbours_of
from pages.shared.lesson_picture import picture_message, picture_script
from tests.conftest import AppServer
from vade_core.cli import main
from vade_core.portable import seeded_normals
from vade_core.rebuild import load_model
from vade_core.runs import Run

pytestmark = pytest.mark.browser

RECIPES = {
    "own-vae": "--model vae --epochs 3",
    "own-vade": "--preset robust --start kmeans --pretrain-epochs 3 --epochs 3 --clamped 1",
}
# What software drawing, and a server without icons of its own, say of themselves.
ABOUT_OTHERS = ("GL Driver Message", "404 (Not Found)")


WATCH_HEIGHT = """
() => {
  const main = document.querySelector("[data-testid=stMain]");
  window.taller = () => main.scrollHeight - main.clientHeight;
  window.most = 0;
  const look = () => {
    window.most = Math.max(window.most, taller());
    requestAnimationFrame(look);
  };
  look();
}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    words = ["train", "--dataset", "digits", "--subset", "300", "--hidden", "32,32"]
    for run_id, recipe in RECIPES.items():
        more = [*recipe.split(), "--maps", "pca", "--out", str(root / run_id)]
        assert main([*words, *more]) == 0
    return root


@pytest.fixture
def no_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VADE_RECORDED", str(tmp_path / "recorded"))


@pytest.fixture
def lesson(no_recordings: None, app_server: AppServer, made: Path) -> AppServer:
    """The app with the tiny runs and no recordings."""
    shutil.copytree(made, app_server.runs, dirs_exist_ok=True)
    return app_server


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    found = context.new_page()
    found.set_default_timeout(60_000)
    found.said = []
    found.on("pageerror", lambda error: found.said.append(str(error)))
    found.on(
        "console",
        lambda m: (
            found.said.append(m.text)
            if m.type == "error" and not any(words in m.text for words in ABOUT_OTHERS)
            else None
        ),
    )
    yield found
    assert found.said == []
    context.close()


def open_lesson(page: Any, server: AppServer, step: int) -> None:
    """Opens a step; the first page of a server brings torch along, which may take its time."""
    page.goto(f"{server.url}/lesson?step={step}")
    page.wait_for_selector(".st-key-ls-foot", timeout=120_000)


def until(page: Any, holds: Callable[[], bool], words: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"Waited in vain until {words}."
        page.wait_for_timeout(50)


def button(page: Any, key: str) -> Any:
    """A button; one with a tooltip is there twice, for pointers and for fingers."""
    return page.locator(f".st-key-{key} button").first


def is_on(page: Any, step: int) -> None:
    until(page, lambda: f"step={step}" in page.url, f"step {step} is open")
    page.wait_for_selector(f".st-key-ls-dot-{step} button[kind=primary]")


def picture(page: Any, view: str) -> Any:
    page.wait_for_selector(f'.ls[data-view="{view}"][data-ready="wasm"]')
    return page.locator(".ls")


def count_messages(page: Any) -> None:
    """Count in `sentMessages` what the browser sends to the server from now on."""
    page.evaluate(
        """() => {
            const send = WebSocket.prototype.send;
            globalThis.sentMessages = 0;
            WebSocket.prototype.send = function (...given) {
                globalThis.sentMessages += 1;
                return send.apply(this, given);
            };
        }"""
    )


def drag(page: Any, name: str, values: list[float]) -> None:
    """Moves a slider of the picture step by step, as a pointer does."""
    page.evaluate(
        """([name, values]) => {
            const hosts = [...document.querySelectorAll("*")].map((e) => e.shadowRoot);
            const roots = [document, ...hosts.filter(Boolean)];
            const selector = `.ls input[data-set="${name}"]`;
            const input = roots.map((r) => r.querySelector(selector)).find(Boolean);
            for (const value of values) {
                input.value = value;
                input.dispatchEvent(new Event("input", { bubbles: true }));
            }
        }""",
        [name, values],
    )


def test_keys_turn_the_pages_but_not_inside_inputs(page: Any, lesson: AppServer) -> None:
    open_lesson(page, lesson, 1)
    picture(page, "latents")
    is_on(page, 1)
    page.keyboard.press("ArrowLeft")  # there is nothing before the first
    page.keyboard.press("ArrowRight")
    is_on(page, 2)
    page.keyboard.press("PageDown")
    is_on(page, 3)
    # A fast clicker: no press is lost while the server is busy with the first.
    for key in ("PageDown", "PageDown", "PageDown", "PageUp"):
        page.keyboard.press(key)
    is_on(page, 5)
    for _ in range(3):
        button(page, "ls-back").click()
    is_on(page, 2)
    root = picture(page, "cloud")
    slider = root.locator("input[data-set=factor]")
    slider.focus()
    before = slider.input_value()
    page.keyboard.press("ArrowRight")
    until(page, lambda: slider.input_value() != before, "the slider moves")
    page.wait_for_timeout(600)
    assert "step=2" in page.url
    # Dragged with the pointer, a slider lets go of the keys.
    box = slider.bounding_box()
    page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
    assert float(slider.input_value()) > 2
    page.keyboard.press("ArrowLeft")
    is_on(page, 1)
    button(page, "ls-dot-7").click()
    is_on(page, 7)
    page.wait_for_selector(".lm[data-frame]")
    page.locator(".lm-track").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(600)
    assert "step=7" in page.url, "The map's scrubber keeps its arrows."


def test_sliders_change_the_picture_without_a_message_and_answers_open_it(
    page: Any, lesson: AppServer, made: Path
) -> None:
    open_lesson(page, lesson, 2)
    for step, view, name, values in (
        (2, "cloud", "factor", [1.5, 2, 2.5, 3]),
        (5, "hills", "spread", [0, 0.5, 1.5, 2]),
        (6, "path", "t", [100, 400, 700, 1000]),
    ):
        button(page, f"ls-dot-{step}").click()
        is_on(page, step)
        root = picture(page, view)
        until(page, lambda root=root: drawn(root) > 0, "it is drawn")
        page.wait_for_timeout(800)
        count_messages(page)
        before = drawn(root)
        drag(page, name, values)
        until(page, lambda root=root, before=before: drawn(root) > before, "it is drawn again")
        page.wait_for_timeout(400)
        assert page.evaluate("globalThis.sentMessages") == 0, view
    button(page, "ls-dot-1").click()
    is_on(page, 1)
    root = picture(page, "latents")
    assert root.locator(".ls-latents").get_attribute("data-on") == "10"
    root.locator('[data-latent="3"]').click()
    assert root.locator(".ls-latents").get_attribute("data-on") == "9"
    the_answer_opens_what_was_hidden(page, made)


def test_what_is_hidden_says_so_and_answers_fit_the_window(page: Any, lesson: AppServer) -> None:
    open_lesson(page, lesson, 4)
    page.wait_for_selector(".lm[data-frame]")
    # Nothing tells what the points are, and nothing claims that there are no labels.
    assert page.locator(".lm-legend-note").count() == 0
    assert page.locator(".lm-colour option").count() == 1
    assert page.locator(".lm-entry").inner_text() == "?"
    for step in (4, 7):
        page.goto(f"{lesson.url}/lesson?step={step}&said={step}-{'p20' if step == 7 else '0'}s")
        page.wait_for_selector(".lm[data-frame]")
        page.locator(".st-key-ls-ask [data-testid=stAlert]").wait_for()
        page.wait_for_timeout(300)
        foot = page.locator(".st-key-ls-foot").bounding_box()["y"]
        for part in (".st-key-ls-ask", ".st-key-ls-picture"):
            box = page.locator(part).bounding_box()
            assert box["y"] + box["height"] <= foot + 1, f"{part} of step {step}"
    page.goto(f"{lesson.url}/lesson?step=5")
    root = picture(page, "hills")
    assert "Show the answer" in root.locator(".ls-closed .ls-unlock").inner_text()
    button(page, "ls-show-5").click()
    root.locator(".ls-unlock").wait_for(state="detached")


def drawn(root: Any) -> int:
    """How often the samples of a picture have been drawn, all together."""
    counts = root.locator("canvas[data-drawn]").evaluate_all(
        "(all) => all.map((canvas) => Number(canvas.dataset.drawn))"
    )
    return sum(counts)


def the_answer_opens_what_was_hidden(page: Any, made: Path) -> None:
    button(page, "ls-dot-5").click()
    root = picture(page, "hills")
    assert root.locator(".ls-closed").count() == 9
    button(page, "ls-show-5").click()
    until(page, lambda: root.locator(".ls-closed").count() == 0, "all hills are open")
    button(page, "ls-next").click()
    root = picture(page, "path")
    assert not root.locator(".ls-gammas").is_visible()
    button(page, "ls-show-6").click()
    root.locator(".ls-gammas").wait_for()
    run = Run(made / "own-vade")
    digits = digits_of(run)
    a, b = neighbours_of(digits)
    told = root.locator(".ls-path").get_attribute("data-changes")
    places = [float(part) for part in told.split(",")] if told else []
    assert np.allclose(places, changes_of_mind(digits, a, b).at, atol=0.01)
    # Katex has drawn the formula, not its source.
    assert page.locator(".katex-html").count() >= 1
    st.cache_resource.clear()


def test_the_last_of_several_quick_presses_on_steps_counts(page: Any, lesson: AppServer) -> None:
    open_lesson(page, lesson, 1)
    page.wait_for_selector(".ls[data-ready]")
    for last in (2, 6, 3, 1, 4):
        for step in (5, 1, 3, last):
            button(page, f"ls-dot-{step}").evaluate("(button) => button.click()")
        is_on(page, last)


def test_present_mode_hides_the_header_and_goes_along(page: Any, lesson: AppServer) -> None:
    open_lesson(page, lesson, 1)
    button(page, "ls-present").click()
    button(page, "present-leave").wait_for()
    header = page.locator("[data-testid=stHeader]")
    header.wait_for(state="hidden")
    page.evaluate(WATCH_HEIGHT)
    for step in (*range(1, 9), 4, 2, 7, 3, 8):
        button(page, f"ls-dot-{step}").click()
        is_on(page, step)
        page.wait_for_selector(f".st-key-ls-show-{step}")
        page.wait_for_selector(f".st-key-ls-picture-{step} :is(.ls[data-ready], .lm[data-frame])")
        until(page, lambda: page.evaluate("taller()") <= 1, f"step {step} needs no scrolling")
        # A picture begins with a height of its own, for one frame; two of them, one below the
        # other, would be 400 pixels and more.
        assert page.evaluate("most") < 300, f"On the way to step {step} the page jumped."
    assert "mode=present" in page.url
    # Another page, by one of the lesson's links.
    page.locator(".st-key-ls-links a").filter(has_text="Time machine").click()
    until(page, lambda: "/time-machine" in page.url, "the time machine opens")
    page.wait_for_selector(".lm[data-frame]")
    until(page, lambda: "mode=present" in page.url, "present mode has come along")
    assert not header.is_visible()
    choice = page.locator("[data-testid=stSelectbox]").first
    choice.wait_for(state="attached")
    choice.wait_for(state="hidden")
    assert page.locator(".lm-track").is_visible()
    page.keyboard.press("Escape")
    header.wait_for()
    choice.wait_for()
    assert "mode=present" not in page.url


def test_an_answer_stands_above_the_bar_in_a_small_window(page: Any, lesson: AppServer) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    open_lesson(page, lesson, 2)
    bar = button(page, "ls-next").bounding_box()["y"]
    answer = page.locator(".st-key-ls-ask [data-testid=stAlertContainer]")
    for step in range(2, 8):
        button(page, f"ls-dot-{step}").click()
        is_on(page, step)
        button(page, f"ls-show-{step}").click()
        answer.wait_for()
        until(
            page,
            lambda: (box := answer.bounding_box()) is not None and box["y"] + box["height"] < bar,
            f"the answer of step {step} is to be read",
        )


def test_formulas_agree_with_the_model(chromium: Any, made: Path) -> None:
    """What steps 2, 5 and 6 compute in the browser, against the library."""
    run = Run(made / "own-vade")
    digits, model, found = digits_of(run), load_model(run), explore(run)
    assert found is not None
    n, dim, k = 5, found.latent_dim, found.n_clusters
    message = picture_message(digits, "hills", True, None, "world", {})
    context = chromium.new_context()
    bare = context.new_page()
    script = picture_script().replace("export default", "")
    bare.set_content("<p></p>")
    bare.add_script_tag(
        type="module",
        content=f"{script}\nObject.assign(globalThis, {{openMessage, LessonWorld, posteriorDraws,"
        " hillDraws, straightWay, shutOff, seededNormals});",
    )
    bare.wait_for_function("globalThis.hillDraws !== undefined")
    told = bare.evaluate(
        """([text, n, dim]) => {
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            const world = new LessonWorld(openMessage(bytes));
            const noise = seededNormals(7, n, dim);
            const way = straightWay(world.latent(1), world.latent(2), [0, 0.25, 0.5, 0.75, 1]);
            return {
                cloud: [...posteriorDraws(world.latent(3), world.logVariances(3), 2.5, noise)],
                hills: [...hillDraws(world.mixture, 1.5, noise)],
                gamma: [...world.mixture.read(way, 5).shares],
                off: [...shutOff(Float32Array.of(1, 2, 3), [true, false, true])],
            };
        }""",
        [base64.b64encode(message).decode(), n, dim],
    )
    context.close()
    noise = seeded_normals(7, n, dim)
    mean, log_variance = model.posterior(digits.samples)
    cloud = mean[3] + 2.5 * np.exp(0.5 * log_variance[3]) * noise
    assert np.allclose(np.reshape(told["cloud"], (n, dim)), cloud, atol=1e-4)
    _, means, log_variances = (v.detach().numpy() for v in model.prior_.components())
    hills = means[:, None] + 1.5 * np.exp(0.5 * log_variances)[:, None] * noise
    assert np.allclose(np.reshape(told["hills"], (k, n, dim)), hills, atol=1e-3)
    t = np.linspace(0, 1, 5)[:, None]
    way = ((1 - t) * mean[1] + t * mean[2]).astype(np.float32)
    gamma = model.responsibilities(way)
    assert np.allclose(np.reshape(told["gamma"], (5, k)), gamma, atol=1e-3), json.dumps(told)
    assert told["off"] == [1, 0, 3]
    st.cache_resource.clear()
