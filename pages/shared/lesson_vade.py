"""Steps 5 to 8 of the lesson: what VaDE adds."""

from __future__ import annotations

import html
from typing import Any

import streamlit as st

from pages.shared.compare_words import NUMBERED, goes_by_number
from pages.shared.exploration import Exploration
from pages.shared.k_words import cluster_names, headline, kinds_word
from pages.shared.latent_map import MapFrames, map_preview
from pages.shared.lesson_facts import (
    changes_of_mind,
    confusions,
    counted,
    digits_of,
    drawn_back,
    joined_names,
    last_scores,
    neighbours_of,
    shared_slant,
)
from pages.shared.lesson_picture import draw_picture
from pages.shared.lesson_runs import PARTS, LessonRuns
from pages.shared.lesson_scene import Answer, Question, Scene, number_word
from pages.shared.lesson_vae import draw_map
from pages.shared.run_map import lenses_of, read_frames
from pages.shared.session import is_supervised, joined, model_title, percent
from vade_core.colours import colour_of, legend_of_numbers, text_on
from vade_core.granularity import Census, merges
from vade_core.models import MODELS
from vade_core.runs import Run

__all__ = ["hills", "belonging", "sorting", "failing"]

# A class with a smaller share of a cluster has no room for its name.
LEAST_ON_TILE = 0.04
NEXT_PAGES = (
    ("pages/train.py", "Train", ":material/play_circle:"),
    ("pages/time-machine.py", "Time machine", ":material/history:"),
    ("pages/interpolate.py", "Interpolate", ":material/timeline:"),
    ("pages/compare.py", "Compare", ":material/compare:"),
    ("pages/how-many-clusters.py", "How many clusters?", ":material/tag:"),
)


def hills(runs: LessonRuns) -> Scene:
    """Step 5: a hill for every cluster."""
    run = runs.get("vade")
    k = run.config.clusters if run else None

    def answer(guess: Any) -> Answer:
        assert run is not None
        found = digits_of(run).found
        table = counted(run)
        share = drawn_back(run)
        words = (
            f"The encoder puts **{percent(share)}** of drawn pictures back on the hill that they "
            "came from."
        )
        right = 1
        if table is not None and table.table is not None:
            kinds = len(set(table.table.argmax(axis=0).tolist()))
            all_hills = number_word(found.n_clusters)
            words = f"The {all_hills} hills stand for **{number_word(kinds)}** digits. {words}"
            right = 1 if kinds > found.n_clusters / 2 else 0
        hand = shared_slant(run)
        if hand is not None:
            little = "go together" if hand > 0.2 else "have little in common"
            words += f" Slants in a column {little}: their correlation is {hand:.2f}."
        return Answer(words, frozenset([right]))

    return Scene(
        heading=f"A prior with {number_word(k) if k else 'many'} hills",
        sentences=(
            "VaDE's prior has a hill for every cluster.",
            "The decoder draws what lives on a hill: one is open, the others after the answer.",
            "In a column every cluster gets the same noise ε.",
        ),
        formula=r"\begin{gathered} p(c)=\pi_c,\quad p(z\mid c)=\mathcal N(\mu_c,\,\sigma_c^2 I)\\"
        r" z=\mu_c+\sigma_c\odot\varepsilon,\quad x\sim p(x\mid z)\end{gathered}",
        symbols="π how often a cluster is drawn; μ and σ the middle and the width of its hill, "
        "one for every latent.",
        question=Question(
            "What does another cluster draw from the same noise?",
            options=(
                "The same digit in another hand",
                "Another digit in much the same hand",
                "The same picture again",
            ),
        ),
        run=run,
        missing=PARTS["vade"].words,
        draw=lambda shown: _draw_hills(_needed(run), shown),
        answer=answer,
    )


def belonging(runs: LessonRuns) -> Scene:
    """Step 6: the responsibilities."""
    run = runs.get("vade")

    def answer(guess: Any) -> Answer:
        digits = digits_of(_needed(run))
        a, b = neighbours_of(digits)
        changes = changes_of_mind(digits, a, b)
        if not changes.at:
            return Answer("These two lie in one cluster: it never changes its mind.")
        places = joined([f"{100 * at:.0f} %" for at in changes.at])
        words = (
            f"From the {digits.names[a]} to the {digits.names[b]} that stood here first: at "
            f"**{places}** of the way (cluster {joined_names(digits.found, changes.clusters)}). "
            "There two hills, times their weights, are equally high."
        )
        at = changes.at[0]
        right = 3 if len(changes.at) > 1 else 0 if at < 0.4 else 1 if at <= 0.6 else 2
        return Answer(words, frozenset([right]))

    def draw(shown: bool) -> None:
        digits = digits_of(_needed(run))
        draw_picture(_needed(run), "path", shown, {"ends": list(neighbours_of(digits))})
        if shown:
            _draw_legend(digits.found)

    return Scene(
        heading="Who belongs to whom",
        sentences=(
            "Every place belongs to each cluster to some degree, its γ.",
            "γ compares how high the hills are just there.",
            "Move the slider from one digit to the other, or choose two others.",
        ),
        formula=r"\gamma_c=p(c\mid z)=\frac{\pi_c\,\mathcal N(z;\,\mu_c,\sigma_c^2 I)}"
        r"{\sum_{k}\pi_{k}\,\mathcal N(z;\,\mu_{k},\sigma_{k}^2 I)}",
        symbols="N(z; μ, σ² I) the height of a hill at z, π its weight. A sample's cluster is the "
        "one of its largest γ.",
        question=Question(
            "Where on the way does it change its mind?",
            options=("Before 40 %", "Between 40 and 60 %", "After 60 %", "More than once"),
        ),
        run=run,
        missing=PARTS["vade"].words,
        draw=draw,
        answer=answer,
    )


def sorting(runs: LessonRuns) -> Scene:
    """Step 7: from a heap to islands, and how well."""
    run = runs.get("vade")

    def answer(guess: Any) -> Answer:
        assert run is not None
        found = last_scores(run)
        if not found:
            return Answer("These data have no labels, so there is no ACC.")
        acc = float(found["acc"])
        names = digits_of(run).found.class_names
        words = f"**ACC {percent(acc)}**, NMI {percent(found.get('nmi'))}."
        if mixed := confusions(run):
            listed = [
                f"{percent(one.share)} of the {names[one.label]}s for {names[one.taken_for]}"
                for one in mixed
            ]
            words += f" It takes {joined(listed)}."
        others = [
            f"{title or _model_words(other)} {percent(float(last_scores(other)['acc']))}"
            for part, title in (("paper", "the paper's recipe"), ("vae", ""), ("told", ""))
            if (other := runs.get(part)) is not None
            and other.config.dataset == run.config.dataset
            and last_scores(other)
        ]
        if others:
            words += f" Beside it: {joined(others)}."
        return Answer(words, share=acc)

    return Scene(
        heading="Watch it sort",
        sentences=(
            "From the untrained heap to islands: no label is ever used.",
            "For the score, each cluster is matched with one digit afterwards.",
            "Let it play, or drag the time yourself.",
        ),
        formula=r"\mathrm{ACC}=\max_{m}\ \frac1n\sum_{i=1}^{n}\mathbf 1\big\{y_i=m(c_i)\big\}",
        symbols="y the label, c the cluster of the largest γ, m a matching of clusters with "
        "digits, one to one; n samples.",
        question=Question("Guess the ACC, without a single label", kind="share"),
        run=run,
        missing=PARTS["vade"].words,
        draw=lambda shown: draw_map(_needed(run), "ls-sort", shown),
        answer=answer,
    )


def failing(runs: LessonRuns) -> Scene:
    """Step 8: without a start, and with too few clusters."""
    vade, fails, seven = runs.get("vade"), runs.get("fails"), runs.get("seven")
    table = counted(seven) if seven else None
    names = digits_of(seven).found.class_names if seven else []
    options = tuple(names) if 2 <= len(names) <= 20 else ()
    k = number_word(seven.config.clusters) if seven else "too few"

    def answer(guess: Any) -> Answer:
        if table is None or table.table is None or seven is None:
            return Answer("Without labels nobody can say which share a cluster.")
        sharing = _sharing(table)
        words = f"**{headline(table, names)}**"
        if guess:
            hits, named = len(set(guess) & sharing), len(set(guess))
            if named == 1:
                words += f" The one that you named {'does' if hits else 'does not'}."
            else:
                words += f" Of the {named} that you named, {hits} {'does' if hits == 1 else 'do'}."
        words += _two_scores(vade, fails)
        return Answer(words, frozenset(sharing))

    question = (
        f"{k.capitalize()} clusters for {number_word(len(names) or 10)} digits: who shares one?"
    )
    return Scene(
        heading="When it fails",
        sentences=(
            "The same model on the same digits, with a good start and with none.",
            "If every γ equals π, the cluster term costs nothing: not to sort is the easy way out.",
            "And where clusters are too few, some digits must share.",
        ),
        formula=r"\mathrm{KL}\big(q(c\mid x)\,\big\|\,p(c)\big)=\sum_c \gamma_c\,"
        r"\log\frac{\gamma_c}{\pi_c}",
        symbols="γ whose x is, π the clusters' weights. It is 0 where both are equal.",
        question=Question(question, kind="many", options=options),
        run=vade or fails or seven,
        missing=f"{PARTS['vade'].words}, and {PARTS['fails'].words}",
        draw=lambda shown: _draw_failing(vade, fails, seven, table if shown else None, names),
        answer=answer,
    )


# --- Pictures and words ---------------------------------------------------------------------------


def _needed(run: Run | None) -> Run:
    assert run is not None, "A step without a run draws nothing."
    return run


def _sharing(found: Census) -> set[int]:
    """Classes that share a cluster with another one."""
    if found.table is None:
        return set()
    return {held.label for merge in merges(found.table) for held in merge.holdings}


def _two_scores(vade: Run | None, fails: Run | None) -> str:
    """How the two runs above ended."""
    pairs = [(vade, "with its start"), (fails, "without")]
    said = [
        f"{words} {percent(float(last_scores(run)['acc']))}"
        for run, words in pairs
        if run is not None and last_scores(run)
    ]
    return f" ACC of VaDE: {joined(said)}." if said else ""


def _draw_failing(
    vade: Run | None, fails: Run | None, seven: Run | None, table: Census | None, names: list[str]
) -> None:
    shown = ((vade, "vade", "With its start"), (fails, "fails", "No pretraining, a random start"))
    for place, (run, part, title) in zip(st.columns(2), shown, strict=True):
        with place:
            st.markdown(f"**{title}**")
            if run is None:
                st.info(f"Train {PARTS[part].words} to see it here.", icon=":material/school:")
            elif (frames := _frames_of(run)) is not None:
                map_preview(frames, key=f"ls-two-{run.id}", label=f"Playing: {title}, its map")
            else:
                st.info("This run was made without maps.", icon=":material/map:")
    maps = [_frames_of(run) for run in (vade, fails) if run is not None]
    if any(frames is not None and goes_by_number(frames) for frames in maps):
        st.caption(NUMBERED)
    if seven is None:
        st.caption(f"To see who shares, train {PARTS['seven'].words}.")
    elif table is not None and table.table is not None:
        words = number_word(table.table.shape[1])
        st.html(f"<b>What each of the {words} clusters holds</b>{cluster_tiles(table, names)}")
    with st.container(horizontal=True, key="ls-links", gap="small"):
        st.markdown("Go on with")
        for page, label, icon in NEXT_PAGES:
            st.page_link(page, label=label, icon=icon)


def _frames_of(run: Run) -> MapFrames | None:
    """The frames of a run's first map; None where it has none."""
    lenses = lenses_of(run)
    return read_frames(run, lenses[0]).frames if lenses else None


def _model_words(run: Run) -> str:
    """A run by what its model is told and what finds its clusters, within a sentence."""
    title = model_title(run.config.model)
    if is_supervised(run.config.model):
        return f"{title}, which is told the labels,"
    entry = MODELS.get(run.config.model)
    return title if entry is None or entry.own_clusters else f"{title} and a mixture afterwards"


def _draw_hills(run: Run, shown: bool) -> None:
    draw_picture(run, "hills", shown)
    if shown:
        _draw_legend(digits_of(run).found)


def _draw_legend(found: Exploration) -> None:
    """Say what the number of a cluster is, where one has no other name."""
    noun = kinds_word(found.class_names, many=False)
    if words := legend_of_numbers([name for name, _ in found.looks], noun=noun):
        st.caption(words)


def cluster_tiles(found: Census, names: list[str]) -> str:
    """Each cluster as a tile: the classes in it, as wide as their share, as HTML.

    Parameters
    ----------
    found : Census
        With labels.
    names : list of str
        Of the classes.
    """
    assert found.table is not None
    called = cluster_names(found, names)
    tiles = []
    for c in range(found.table.shape[1]):
        column = found.table[:, c]
        size = int(column.sum())
        order = [
            int(y) for y in (-column).argsort(kind="stable") if size and column[y] / size >= 0.04
        ]
        parts = "".join(
            f'<span style="flex:{column[y] / size:.3f};background:{colour_of(y)};'
            f'color:{text_on(colour_of(y))}">{html.escape(names[y])}</span>'
            for y in order
        )
        title = html.escape(f"Cluster {called[c]}: {size:,} samples")
        tiles.append(f'<div class="ls-tile" title="{title}">{parts}</div>')
    label = "Digits in each cluster"
    return f'<div class="ls-tiles" role="img" aria-label="{label}">{"".join(tiles)}</div>'
