"""Which runs are compared, how each is marked, and what is said of them."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.shared.run_cards import date_words, plain_label, title_of
from pages.shared.run_choice import run_words
from pages.shared.session import cached_metrics, fail, joined, model_title, open_run, percent
from pages.shared.stages import stages_brief
from vade_core.colours import PALETTE, text_on
from vade_core.models import MODELS
from vade_core.record import RECORDINGS
from vade_core.runs import RUNNING_STATES, Run

__all__ = [
    "MODEL_PAIR",
    "MOST",
    "Compared",
    "choose_runs",
    "compared_runs",
    "finds_clusters",
    "head_html",
    "head_words",
    "lines_of_words",
    "listed",
    "model_words",
    "noun_of",
    "usual_runs",
]

Summary = dict[str, Any]

MOST = 4
SIGNS = "ABCD"
# Four of the palette that stay apart for every eye.
COLOURS = (PALETTE[0], PALETTE[5], PALETTE[2], PALETTE[3])
RECORDED_PAIR = ("vae", "vade-k10")
MODEL_PAIR = tuple(
    next(str(one.asked["model"]) for one in RECORDINGS if one.id == run_id)
    for run_id in RECORDED_PAIR
)
"""The models of the recorded pair: without clusters of its own, and with some."""

KEY = "cmp-runs"
# Letters of the runs' sentences that find room in a row of 1280 pixels.
LETTERS_ACROSS = 185


@dataclass(frozen=True)
class Compared:
    """A run as one of those compared.

    Attributes
    ----------
    run : Run
    sign : str
        A letter.
    title : str
        Unlike any other's.
    colour : str
        Hex.
    live : bool
        Whether it is still training.
    """

    run: Run
    sign: str
    title: str
    colour: str
    live: bool

    @property
    def name(self) -> str:
        """Sign and title."""
        return f"{self.sign} {self.title}"

    def last_scores(self) -> dict[str, Any]:
        """The last line of metrics.jsonl that has an ACC, else the last; empty without lines."""
        lines = cached_metrics(self.run)
        with_scores = (line for line in reversed(lines) if line.get("acc") is not None)
        return next(with_scores, lines[-1] if lines else {})


def usual_runs(summaries: Sequence[Summary]) -> list[str]:
    """The runs that the page opens with: VAE beside VaDE, as far as they are there.

    Parameters
    ----------
    summaries : sequence of dict
        Newest first.

    Returns
    -------
    list of str
        The recorded pair; else the newest of each model, or of another one of its kind, on one
        data set if there is one with both; else the one that is there; else none.

    Examples
    --------
    >>> run = {"state": "finished", "dataset": "digits", "acc": 0.8}
    >>> usual_runs([{**run, "id": "a", "model": "vade"}, {**run, "id": "b", "model": "vae"}])
    ['b', 'a']
    """
    known = {str(summary["id"]) for summary in summaries}
    if known.issuperset(RECORDED_PAIR):
        return list(RECORDED_PAIR)
    begun = [s for s in summaries if s["state"] != "queued"]
    by_role = [
        [s for s in begun if s["model"] == model]
        or [s for s in begun if _kind(str(s["model"])) == _kind(model)]
        for model in MODEL_PAIR
    ]
    common = set.intersection(*({s["dataset"] for s in found} for found in by_role))
    pair = []
    for found in by_role:
        fitting = [s for s in found if s["dataset"] in common] or found
        # Of runs on different data sets that have a partner, the newest with clusters decides.
        if common:
            wanted = next(s["dataset"] for s in by_role[1] if s["dataset"] in common)
            fitting = [s for s in fitting if s["dataset"] == wanted]
        pair += [str(s["id"]) for s in fitting[:1]]
    return pair


def _kind(model: str) -> tuple[bool, bool, bool] | None:
    """Whether a model has clusters of its own, is told the labels, is a baseline."""
    entry = MODELS.get(model)
    return None if entry is None else (entry.own_clusters, entry.supervised, entry.baseline)


def choose_runs(summaries: Sequence[Summary]) -> list[str]:
    """Draw the choice of runs; a link carries it (``?runs=a,b``).

    Parameters
    ----------
    summaries : sequence of dict
        Of `readable_summaries`, one at least.

    Returns
    -------
    list of str
        Ids, in the order in which a person chose them.
    """
    known = {str(summary["id"]): summary for summary in summaries}
    _take_from_link(known, usual_runs(summaries))
    chosen: list[str] = st.multiselect(
        "Runs",
        list(known),
        key=KEY,
        format_func=_words_apart(known).__getitem__,
        label_visibility="collapsed",
        placeholder=f"Choose two to {MOST} runs",
        max_selections=MOST,
        width="stretch",
        persist_state="session",
    )
    chosen = [run_id for run_id in chosen if run_id in known]  # a run may have been renamed
    asked = ",".join(chosen)
    if chosen and chosen != usual_runs(summaries):
        if st.query_params.get("runs") != asked:
            st.query_params["runs"] = asked
    else:
        st.query_params.pop("runs", None)
    st.session_state[f"{KEY}:link"] = st.query_params.get("runs")
    return chosen


def _words_apart(known: dict[str, Summary]) -> dict[str, str]:
    """What each run is in a line, unlike any other's.

    By that line the browser tells them apart: so it does not change while a run is trained.
    """
    words = {run_id: run_words({**summary, "acc": None}) for run_id, summary in known.items()}
    many = Counter(words.values())
    return {run_id: f"{w} · {run_id}" if many[w] > 1 else w for run_id, w in words.items()}


def _take_from_link(known: dict[str, Summary], usual: list[str]) -> None:
    asked = st.query_params.get("runs")
    if asked and asked != st.session_state.get(f"{KEY}:link"):
        wanted = list(dict.fromkeys(part.strip() for part in asked.split(",") if part.strip()))
        for missing in [run_id for run_id in wanted if run_id not in known][:MOST]:
            open_run(missing)  # says what is wrong with it
        if len(wanted) > MOST:
            fail(f"The link names {len(wanted)} runs: the first {MOST} are shown.")
        found = [run_id for run_id in wanted if run_id in known][:MOST]
        st.session_state[KEY] = found + [r for r in usual if r not in found][: 2 - len(found)]
    elif KEY not in st.session_state:
        st.session_state[KEY] = usual
    elif any(run_id not in known for run_id in st.session_state[KEY]):
        st.session_state[KEY] = [r for r in st.session_state[KEY] if r in known]


def compared_runs(ids: Sequence[str], summaries: Sequence[Summary]) -> list[Compared]:
    """The runs of some ids, marked; those that cannot be opened are named on the page."""
    known = {str(summary["id"]): summary for summary in summaries}
    opened = [(known[run_id], run) for run_id in ids if (run := open_run(run_id)) is not None]
    titles = _told_apart([summary for summary, _ in opened])
    return [
        Compared(run, SIGNS[i], titles[i], COLOURS[i], run.status()["state"] in RUNNING_STATES)
        for i, (_, run) in enumerate(opened)
    ]


def _told_apart(summaries: Sequence[Summary]) -> list[str]:
    """A title for each run that no other has."""
    details = (
        lambda s: "",
        lambda s: f", K = {s['clusters']}",
        lambda s: f", {s['preset']}",
        lambda s: f", seed {s['seed']}",
        lambda s: f", {date_words(s['created'])}",
        lambda s: f", {s['id']}",
    )
    short = [title_of(s) for s in summaries]
    alone = len({s["dataset"] for s in summaries}) == 1
    titles = [
        # Beside others on the same data, the model says it all.
        model_title(s["model"]) if alone and title.endswith(f" on {s['dataset']}") else title
        for s, title in zip(summaries, short, strict=True)
    ]
    for detail in details:
        many = Counter(titles)
        twice = [i for i, title in enumerate(titles) if many[title] > 1]
        if not twice:
            break
        added = {detail(summaries[i]) for i in twice}
        if len(added) > 1:
            for i in twice:
                titles[i] += detail(summaries[i])
    return titles


def noun_of(compared: Sequence[Compared]) -> str:
    """What the samples of some runs are called.

    "digits" where they are, "pictures" where there are some, else "samples".
    """
    configs = [each.run.config for each in compared]
    if all(config.dataset in ("mnist", "digits") for config in configs):
        return "digits"
    return "pictures" if all(config.image_shape for config in configs) else "samples"


def finds_clusters(model: str) -> bool:
    """Whether clusters are a model's own; one that is not registered counts as such."""
    return model not in MODELS or MODELS[model].own_clusters


def model_words(model: str) -> str:
    """What a model is, in the registry's sentence; empty where it is not registered.

    Examples
    --------
    >>> model_words("vae").partition(":")[0], model_words("unheard-of")
    ('One Gaussian for all', '')
    """
    return MODELS[model].summary if model in MODELS else ""


HEAD_STYLE = """
<style>
.cp-head { line-height: 1.25; }
.cp-first { display: flex; align-items: center; gap: .6rem; }
.cp-sign { border-radius: .4rem; min-width: 1.9rem; text-align: center; font-weight: 700;
  line-height: 1.9rem; font-size: 1.15rem; flex: none; }
.cp-title { font-size: 1.25rem; font-weight: 650; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; flex: 1; min-width: 0; }
.cp-acc { font-size: 1.25rem; font-weight: 650; white-space: nowrap; }
.cp-words { font-size: 1rem; opacity: .85; margin-top: .25rem; overflow: hidden; }
</style>
"""


def head_words(compared: Sequence[Compared]) -> list[str]:
    """A sentence for each run: what its model is, or among runs of one model its stages."""
    models = [model_words(each.run.config.model) for each in compared]
    if len(set(models)) > 1 or len(compared) < 2:
        return models
    stages = [stages_brief(each.run.config, cached_metrics(each.run)) for each in compared]
    return stages if any(stages) else models


def lines_of_words(words: Sequence[str], across: int) -> int:
    """How many lines the longest of the runs' sentences takes, so many beside one another."""
    return 1 if max(map(len, words)) <= LETTERS_ACROSS // across else 2


def head_html(each: Compared, words: str, lines: int = 1) -> str:
    """What stands above a run's map: its sign, its name, its ACC, and a sentence.

    Parameters
    ----------
    each : Compared
    words : str
        Of `head_words`.
    lines : int
        How many are kept for the sentence, so that the maps below begin on one level.
    """
    acc = each.last_scores().get("acc")
    said = f"ACC {percent(acc)}" if acc is not None else ""
    if each.live:
        said = f"{said} so far" if said else "in training"
    return (
        '<div class="cp-head"><div class="cp-first">'
        f'<span class="cp-sign" style="background:{each.colour};color:{text_on(each.colour)}">'
        f'{each.sign}</span><span class="cp-title" title="{html.escape(each.title)}">'
        f'{html.escape(each.title)}</span><span class="cp-acc">{said}</span></div>'
        f'<div class="cp-words" style="height:{1.25 * lines}em">'
        f"{html.escape(words)}</div>"
        "</div>"
    )


def listed(names: Sequence[str]) -> str:
    """Names in a row, safe for Markdown.

    Examples
    --------
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return joined([plain_label(name) for name in names])
