"""Links to a part of a long page: ``&part=curves`` opens it there.

Streamlit's own anchors are lost on the way from one page to another, and a place that is found once
does not hold while what stands above is still being drawn.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import streamlit as st

__all__ = ["go_to_part", "lead_to", "note_page", "part"]

PARAMETER = "part"
PAGE, VISITS = "page-shown", "page-visits"


def note_page(name: str) -> None:
    """Count the visits to pages, each once however often it is drawn; app.py says so."""
    if st.session_state.get(PAGE) != name:
        st.session_state[PAGE] = name
        st.session_state[VISITS] = st.session_state.get(VISITS, 0) + 1


def part(name: str, **settings: Any) -> Any:
    """A container that a link can lead to; it takes a container's settings."""
    return st.container(key=f"part-{name}", **settings)


def go_to_part() -> None:
    """Go to the part that the link names, once a visit; call it at the end of a page."""
    if asked := st.query_params.get(PARAMETER):
        visit = st.session_state.get(VISITS, 0)
        lead_to(f"part-{asked}", f"{visit} {asked}")


def lead_to(container: str, occasion: str, *, below: int | None = None) -> None:
    """Go to a container of the page, perhaps only where there is no room for it beside the rest.

    Parameters
    ----------
    container : str
        Its key.
    occasion : str
        Once for each, however often the page is drawn.
    below : int, optional
        Pixels of the window's width up to which it is done; by default it is done in every window.
    """
    data = {"container": container, "occasion": occasion, "below": below}
    _component()(key="part-asked", data=data)


@functools.cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component("vade_explorer.part", html="<i></i>", css=_CSS, js=_JS)


_CSS = "i { display: block; height: 0; }"

_JS = """
const SECONDS = 2.5; // what stands above it has been drawn by then
const PATIENCE = 60; // and no page takes so long to come to it
let last = null;

export default function goToPart({ parentElement, data }) {
  const root = parentElement.getRootNode();
  const around = (root.host ?? parentElement).closest('[data-testid="stElementContainer"]');
  if (around) around.style.display = "none"; // it shows nothing, and takes no gap
  if (data.occasion === last || !/^[a-z-]+$/.test(data.container)) return;
  last = data.occasion;
  if (data.below && !matchMedia(`(width <= ${data.below}px)`).matches) return;
  const began = performance.now();
  const taken = new AbortController();
  // Whoever moves the page himself is not pulled back.
  for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"])
    addEventListener(kind, () => taken.abort(), { signal: taken.signal, capture: true });
  const go = () => {
    if (taken.signal.aborted) return;
    const found = document.querySelector(`.st-key-${data.container}`);
    if (found) {
      found.style.scrollMarginTop = "4.5rem"; // below the bar of pages
      found.scrollIntoView({ block: "start" });
    }
    if (performance.now() - began < 1000 * (found ? SECONDS : PATIENCE)) setTimeout(go, 100);
    else taken.abort();
  };
  go();
}
"""
