"""Steps 1 to 4 of the lesson: what a VAE is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from pages.shared.compare_words import explained
from pages.shared.latent_map import MapFrames, latent_map
from pages.shared.lesson_facts import (
    Terms,
    autoencoder_before,
    digits_of,
    last_scores,
    returned,
    staying,
    terms_of,
)
from pages.shared.lesson_picture import draw_picture
from pages.shared.lesson_runs import PARTS, LessonRuns
from pages.shared.lesson_scene import Answer, Question, Scene, number_word
from pages.shared.present import presenting
from pages.shared.run_map import lenses_of, read_frames, say_skipped
from pages.shared.session import fail, percent
from vade_core.runs import Run, RunError

__all__ = ["few_numbers", "clouds", "the_bill", "one_prior", "draw_map"]

# What stands above and below a map, in CSS pixels of the window.
ABOVE, ABOVE_PRESENTING = 272, 255


def few_numbers(runs: LessonRuns) -> Scene:
    """Step 1: an encoder, a few latents, a decoder."""
    run = runs.get("vae")
    latents = _latent_dim(run) if run else None
    heading = "A picture is hundreds of numbers; a few are enough to draw it again"
    if run and latents:
        heading = (
            f"A picture is {run.config.n_features:,} numbers; {number_word(latents)} are enough "
            "to draw it again"
        )
    # The answer is among them; the others are spread over what there is.
    counts = _counts_to_choose(run, latents) if run and latents else []
    of = f"of the {number_word(latents)}" if latents else "numbers"

    def answer(guess: Any) -> Answer:
        assert run is not None
        shares = returned(run)
        enough = _enough(shares)
        words = (
            f"**{number_word(enough).capitalize()}** bring back {percent(shares[enough])} of the "
            f"picture: half of what all {number_word(len(shares) - 1)} do, "
            f"{percent(shares[-1])}. The rest is lost."
        )
        return Answer(words, frozenset(i for i, n in enumerate(counts) if n == enough))

    return Scene(
        heading=heading,
        sentences=(
            "The encoder squeezes a picture into a few numbers, its latents.",
            "From these alone the decoder draws it again.",
            "Click a bar to shut that number off and see what is lost.",
        ),
        formula=r"x \;\xrightarrow{\;g(x;\,\phi)\;}\; z \;\xrightarrow{\;f(z;\,\theta)\;}\; x'",
        symbols="x the picture, g the encoder, z its latents, f the decoder, x′ what it draws; "
        "φ and θ the networks' weights.",
        question=Question(
            f"How many {of} are enough for half the picture?",
            options=tuple(str(n) for n in counts) or ("2", "4", "8"),
            hint="Half of what all of them bring back. Those that tell most are kept first.",
        ),
        run=run,
        missing=PARTS["vae"].words,
        draw=lambda shown: draw_picture(
            _needed(run),
            "latents",
            shown,
            {"returned": returned(_needed(run)).round(4).tolist() if shown else None},
        ),
        answer=answer,
    )


def clouds(runs: LessonRuns) -> Scene:
    """Step 2: the posterior is a cloud."""
    run = runs.get("vae")

    def answer(guess: Any) -> Answer:
        shares = staying(_needed(run))
        words = (
            "Draws that still lie among their own kind: "
            + ", ".join(f"**{percent(share)}** at factor {f:g}" for f, share in shares.items())
            + ". The decoder has no grey dots to give: every place is some picture."
        )
        moves = shares[3.0] < shares[1.0] - 0.05
        return Answer(words, frozenset([1 if moves else 0]))

    return Scene(
        heading="Not a point, but a cloud",
        sentences=(
            "The encoder does not name one place for a picture, but a small cloud of places.",
            "Every draw from the cloud gives another picture.",
            "Draw again; or make the noise larger with the slider.",
        ),
        formula=r"\begin{gathered} q(z\mid x)=\mathcal N(\mu,\,\sigma^2 I)\\"
        r" z=\mu+\sigma\odot\varepsilon,\quad \varepsilon\sim\mathcal N(0,I)\end{gathered}",
        symbols="μ and σ what the encoder says of x, a pair for every latent; ε fresh noise. The "
        "slider multiplies σ.",
        question=Question(
            "What happens to the digit when the noise grows?",
            options=(
                "Nothing, it stays itself",
                "It is written otherwise, then turns into others",
                "It drowns in grey dots",
            ),
        ),
        run=run,
        missing=PARTS["vae"].words,
        draw=lambda shown: draw_picture(_needed(run), "cloud", shown),
        answer=answer,
    )


def the_bill(runs: LessonRuns) -> Scene:
    """Step 3: the ELBO's two terms."""
    run, vade = runs.get("vae"), runs.get("vade")

    def answer(guess: Any) -> Answer:
        terms = terms_of(_needed(run))
        if not terms.epochs:
            return Answer("This run's metrics hold no such terms.", frozenset([1]))
        words = (
            f"Here a picture costs **{terms.kl[-1]:.1f} nats** of KL beside "
            f"{terms.reconstruction[-1]:.1f} of reconstruction. "
        )
        words += _without_kl(_needed(run), vade, terms)
        return Answer(words, frozenset([1]))

    return Scene(
        heading="What it is paid for",
        sentences=(
            "The first term pays for drawing the picture well.",
            "The second charges for every cloud that leaves the prior.",
            "Training looks for the best bargain; the sum is the ELBO, in nats.",
        ),
        formula=r"\mathcal L(x)=\mathbb E_{q(z\mid x)}\big[\log p(x\mid z)\big]"
        r"-\mathrm{KL}\big(q(z\mid x)\,\big\|\,p(z)\big)",
        symbols="p(x|z) the decoder's chance of drawing x, q(z|x) the cloud, p(z) = N(0, I) the "
        "prior. Training minimises −L.",
        question=Question(
            "What if the KL were left out?",
            options=(
                "It would draw worse",
                "It would draw better, but scatter its clouds anywhere",
                "Nothing would change",
            ),
        ),
        run=run,
        missing=PARTS["vae"].words,
        draw=lambda shown: draw_picture(
            _needed(run), "terms", shown, _curves(terms_of(_needed(run)))
        ),
        answer=answer,
    )


def one_prior(runs: LessonRuns) -> Scene:
    """Step 4: nothing in a VAE pulls the digits apart."""
    run = runs.get("vae")

    def answer(guess: Any) -> Answer:
        found = last_scores(_needed(run))
        if not found:
            return Answer("These data have no labels: nobody can say how well they fall apart.")
        acc, k = float(found["acc"]), _needed(run).config.clusters
        words = (
            f"A mixture of {number_word(k)}, fitted to the latents of the last epoch, reaches "
            f"**ACC {percent(acc)}**. What looks alike lies together; no border is drawn."
        )
        return Answer(words, frozenset([0 if acc >= 0.9 else 1 if acc >= 0.25 else 2]))

    return Scene(
        heading="One prior for all",
        sentences=(
            "The prior is one round hill for all pictures.",
            "No term of the ELBO speaks of kinds of digits.",
            "The map shows where pictures lie; nothing tells it what they are.",
        ),
        formula=r"\begin{gathered} p(z)=\mathcal N(0,I)\\ \mathrm{KL}=\tfrac12\sum_{j=1}^{J}"
        r"\big(\mu_j^2+\sigma_j^2-1-\log\sigma_j^2\big)\end{gathered}",
        symbols="μ and σ of a picture's cloud; J latents. The KL is 0 where the cloud is the "
        "prior itself.",
        question=Question(
            "Will the digits fall apart by themselves?",
            options=(
                "Yes, into clean islands",
                "In part: likes lie together, but they touch",
                "No, it stays one even heap",
            ),
        ),
        run=run,
        missing=PARTS["vae"].words,
        draw=lambda shown: draw_map(_needed(run), "ls-one", shown),
        answer=answer,
    )


# --- Pictures and words ---------------------------------------------------------------------------


def _needed(run: Run | None) -> Run:
    assert run is not None, "A step without a run draws nothing."
    return run


def _latent_dim(run: Run) -> int:
    return digits_of(run).found.latent_dim


def _enough(shares: np.ndarray) -> int:
    """How many latents bring half of what all of them bring back, one at least."""
    return max(1, int(np.argmax(shares >= shares[-1] / 2)))


def _counts_to_choose(run: Run, latents: int) -> list[int]:
    enough = _enough(returned(run))
    # Evenly over the whole range; the nearest one makes room for the answer.
    spread = sorted({max(1, round(latents * share)) for share in (0.1, 0.4, 0.7, 1.0)})
    if enough not in spread:
        spread.remove(min(spread, key=lambda n: abs(n - enough)))
    return sorted({*spread, enough})


def _curves(terms: Terms) -> dict[str, Any]:
    found: dict[str, Any] = {
        "epochs": terms.epochs,
        "reconstruction": [round(value, 3) for value in terms.reconstruction],
        "kl": [round(value, 3) for value in terms.kl],
        "alone": "",
        "both": "",
    }
    if terms.epochs:
        first, last = terms.reconstruction[0], terms.reconstruction[-1]
        fell = "falls" if last < first else "rises"
        found["alone"] = (
            f"Only reconstruction: it {fell} from {first:.1f} to {last:.1f} nats. This term alone "
            "would have every cloud shrink to a point, wherever that is."
        )
        before, after = terms.kl[0], terms.kl[-1]
        goes = "rises" if after > before else "falls"
        found["both"] = (
            f"Both: the KL {goes} from {before:.1f} to {after:.1f} nats while the reconstruction "
            f"{fell} by {abs(first - last):.1f}: "
            + (
                "a better drawing is worth its price."
                if after > before and last < first
                else "the two hold each other in balance."
            )
        )
    return found


def _without_kl(run: Run, vade: Run | None, terms: Terms) -> str:
    """What an autoencoder without a KL came to, where VaDE began with one on the same data."""
    same = vade is not None and vade.config.dataset == run.config.dataset
    found = autoencoder_before(vade) if same and vade is not None else None
    if found is None:
        return "Without the KL nothing would hold the clouds together, or near the prior."
    nats, spread = found
    own = float(digits_of(run).found.latents.std(axis=0).mean())
    return (
        f"The autoencoder that VaDE begins with has none: it ends at **{nats:.1f}** nats, and its "
        f"latents spread over ±{spread:.1f} instead of ±{own:.1f}, where the prior seldom draws."
        if spread > own
        else f"The autoencoder that VaDE begins with has none: it ends at **{nats:.1f}** nats, its "
        f"latents at ±{spread:.1f} instead of ±{own:.1f}; nothing holds them to the prior."
    )


@st.fragment
def draw_map(run: Run, key: str, shown: bool) -> None:
    """A run's map that plays; grey and without scores until the answer is shown.

    Parameters
    ----------
    run : Run
    key : str
        The map's name on the page.
    shown : bool
    """
    try:
        # A fragment is run again alone, so what is wrong has to be said here.
        lenses = lenses_of(run)
        found = read_frames(run, lenses[0]) if lenses else None
    except (RunError, OSError) as error:
        fail(str(error))
        return
    if found is None:
        st.info("This run was made without maps.", icon=":material/map:")
        return
    if found.frames is None:
        say_skipped(found)
        return
    frames = found.frames if shown else unlabelled(found.frames)
    latent_map(
        frames,
        key=f"{key}-{run.id}{'-shown' if shown else ''}",
        height=340,
        above=ABOVE_PRESENTING if presenting() else ABOVE,
        colour="cluster" if shown and found.frames.labels is None else "label",
        autoplay=True,
        curve=shown,
        name=run.id,
    )
    if words := explained([frames]):
        st.caption(" ".join(words))


def unlabelled(frames: MapFrames) -> MapFrames:
    """The same points without anything that tells what they are, or how well they are sorted.

    All wear one label, the question: a map without any would say that there are none.
    """
    return replace(
        frames,
        accuracy=[None] * frames.n_frames,
        labels=np.zeros(frames.n_points, np.int64),
        class_names=["?"],
        clusters=None,
        confidence=None,
        entropy=None,
        responsibilities=None,
        matched=None,
        means=None,
        ellipses=None,
        trust=None,
    )
