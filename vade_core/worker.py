"""The process that trains into a run folder, from its start or from its last checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vade_core import metrics
from vade_core.baselines import kmeans_on_data
from vade_core.control import Control, SignalsAsInterruption
from vade_core.data import Dataset
from vade_core.evaluation import epoch_scores
from vade_core.layout import first_layout
from vade_core.models import MODELS, LatentModel
from vade_core.projection import LENSES, neighbour_recall
from vade_core.rebuild import build_model, load_dataset
from vade_core.recorder import Checkpoint, Recorder, write_json
from vade_core.runs import (
    BASELINE,
    CHECKPOINT,
    STAGE,
    UNTRAINED,
    Frame,
    Run,
    RunError,
    Stage,
)
from vade_core.training import EpochReport, Training

STAGE_SIZE = 2000
SHOWN = 20
FEW_FEATURES = 2
Listener = Callable[[dict[str, Any]], None]


class Worker:
    """Trains one run.

    Parameters
    ----------
    run : Run
    listener : callable, optional
        Called with every line of metrics.jsonl as it is written.
    progress : callable, optional
        Called with the share of the current epoch that is done, and with the words.
    """

    def __init__(
        self,
        run: Run,
        listener: Listener | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self.run = run
        self.listener = listener
        self.progress = progress
        self.config = run.config
        self.recorder = Recorder(run)
        self.control = Control(run, self.recorder)
        self.elapsed = 0.0
        self._looked = 0.0  # of that, before any training: it tells nothing of an epoch's pace
        self.reports = 0
        self._maps: dict[str, NDArray[np.float32]] = {}

    def work(self) -> str:
        """Train to the end, to a stop, or to an error; the state that was reached.

        Returns
        -------
        str
            ``finished``, ``stopped``, ``interrupted`` or ``failed``.
        """
        try:
            with SignalsAsInterruption(self.control):
                state = self._train()
            words = {
                "finished": "Finished",
                "stopped": "Stopped; it can be resumed",
                "interrupted": "Interrupted; it can be resumed",
            }[state]
            self.recorder.status(state, words, elapsed=self.elapsed, reports=self.reports)
            return state
        except BaseException as error:
            sentence = " ".join(str(error).split()) or type(error).__name__
            if isinstance(error, MemoryError):
                sentence = "The memory did not suffice: use a smaller batch or subset."
            self.recorder.status("failed", "Failed", error=sentence[:1000], elapsed=self.elapsed)
            raise
        finally:
            self.recorder.close()

    def _train(self) -> str:
        self.control.say("Loading the data")
        dataset = load_dataset(self.config, progress=self.control.say)
        entry = MODELS[self.config.model]
        if entry.supervised and dataset.labels is None:
            raise RunError(f"{entry.title} learns from labels, and this data set has none.")
        trained = dataset.train_part() if self.config.split else dataset
        model = build_model(self.config)
        if self.config.threads is not None:
            torch.set_num_threads(self.config.threads)
        if self.config.precision is not None and "precision" in model.get_params():
            model.set_params(precision=self.config.precision)
        # Labels go to supervised models alone.
        training = model.stream(
            trained.samples,
            trained.labels if entry.supervised else None,
            between_batches=self._between_batches,
        )
        if self.config.precision is None or self.config.threads is None:
            self.config.precision = model.precision_
            self.config.threads = torch.get_num_threads()
            self.recorder.config(self.config)
        stage = self._stage(dataset)
        self._restore(model, training)
        self._baseline(dataset)
        if not self._maps and self.config.lenses:
            self.control.say("Laying out the map that every run on these samples starts from")
            values = None if stage.pictures is not None else dataset.as_float(stage.rows)
            self._maps = first_layout(stage, self.config.lenses, values)
        # Where nothing is learnt in epochs, there is nothing before the first report.
        if self.reports == 0 and any(phase.epochs for phase in training.phases):
            self.control.say("A look at the untrained networks")
            began = time.monotonic()
            before = EpochReport(UNTRAINED, 0, 0, 0, "Before any training", 0.0, {})
            self._record(model, training, before, dataset, trained, stage)
            self.elapsed = self._looked = time.monotonic() - began
        self._announce(training, 0.0)
        for report in training:
            began = time.monotonic()
            self._record(model, training, report, dataset, trained, stage)
            self.elapsed += report.seconds + time.monotonic() - began  # pauses left out
            self._save(model, training)
            self.control.epoch_ended()
            self._announce(training, report.seconds)
            if not training.finished and self.control.between_batches(0.0):
                break
        if training.finished:
            return "finished"
        return "stopped" if self.control.stopped else "interrupted"

    def _between_batches(self, share: float) -> bool:
        if self.progress is not None:
            self.progress(share)
        return self.control.between_batches(share)

    def _restore(self, model: LatentModel, training: Training) -> None:
        if not (self.run.path / CHECKPOINT).exists():
            self.recorder.rewind(0)
            return
        checkpoint = Checkpoint(self.run)
        try:
            model.load_tensors(checkpoint.model)
        except ValueError as error:
            raise RunError(f"{self.run.path / CHECKPOINT}: {error}") from error
        training.restore(checkpoint.position, checkpoint.optimiser)
        self.recorder.rewind(checkpoint.reports)
        self.reports, self.elapsed = checkpoint.reports, checkpoint.elapsed
        # The maps go on from the last one of the schedule, as if no step had been made.
        steps = {line.get("report") for line in self.run.metrics() if line.get("frame_of_step")}
        numbers = [number for number in self.run.frame_numbers() if number not in steps]
        if numbers:
            self._maps = self.run.frame(numbers[-1]).maps

    def _stage(self, dataset: Dataset) -> Stage:
        if (self.run.path / STAGE).exists():
            return self.run.stage()
        rows = dataset.stage_set(STAGE_SIZE)
        labels = None if dataset.labels is None else dataset.labels[rows]
        shape = dataset.image_shape
        pictures = None
        if shape is not None:
            grey = dataset.as_float(rows)
            pictures = np.rint(grey.clip(0, 1) * 255).astype(np.uint8).reshape(-1, *shape)
        few = dataset.n_features <= FEW_FEATURES
        shown = shown_samples(labels, len(rows), len(rows) if few else SHOWN)
        stage = Stage(rows, labels, pictures, shown, dataset.as_float(rows[shown]))
        self.recorder.stage(stage)
        return stage

    def _baseline(self, dataset: Dataset) -> None:
        """k-means on the raw data: the line that every curve is seen against."""
        path = self.run.path / BASELINE
        if dataset.labels is None or path.exists():
            return

        self.control.say("k-means on the raw data, for comparison")
        clusters = kmeans_on_data(dataset, self.config.clusters, seed=self.config.seed)
        write_json(path, {"kmeans": metrics.clustering_scores(dataset.labels, clusters)})

    def _record(
        self,
        model: LatentModel,
        training: Training,
        report: EpochReport,
        dataset: Dataset,
        trained: Dataset,
        stage: Stage,
    ) -> None:
        """Write what an epoch gave: a frame, a line of metrics."""
        began = time.monotonic()
        # The last report is measured as `predict` computes; before it, as the training computes.
        precision = "fp32" if training.finished else model.precision_
        clusters = None
        gamma = None
        latents = None
        if report.phase not in (UNTRAINED, "pretrain"):
            latents = model.latents(dataset.samples, precision=precision)
            model.update_clusters(latents if not self.config.split else latents[~dataset.is_test])
            gamma = model.responsibilities(latents)
            clusters = gamma.argmax(axis=1).astype(np.int64)
        entry: dict[str, Any] = {
            "report": self.reports,
            "phase": report.phase,
            "epoch": report.epoch,
            "epochs": report.epochs,
            "stage": report.stage,
            "words": report.words,
            "seconds": report.seconds,
            **epoch_scores(dataset.labels, clusters, dataset.is_test),
            "val_loss": None,
            **report.terms,
            **report.findings,
        }
        if clusters is not None:
            k = gamma.shape[1] if gamma is not None else 0
            entry["sizes"] = np.bincount(clusters, minlength=k)
            if dataset.labels is not None:
                entry["matched"] = metrics.matching(dataset.labels, clusters, k)
                entry["classes"] = metrics.display_classes(dataset.labels, clusters, k)
            if dataset.is_test.any():
                test = dataset.test_part()
                given = test.labels if model.supervised else None
                entry["val_loss"] = model.loss_terms(test.samples, given)["loss"]
        # Where nothing follows the start, its clusters are the model's own.
        last = training.phases[-1].name
        start = None if last == "start" else getattr(model, "start_clusters_", None)
        if start is not None and report.phase == "start" and trained.labels is not None:
            found = metrics.clustering_scores(trained.labels, start)
            entry |= {f"start_{name}": value for name, value in found.items()}
        if start is not None and clusters is not None and (start >= 0).all():
            own = clusters[~dataset.is_test] if self.config.split else clusters
            entry["start_agreement"] = float(np.mean(own == start))
        due, in_step = self._wants_frame(training), self.control.in_step()
        if due or in_step:
            # Before there are clusters, nobody asks for the latents of the others.
            shown = (
                model.latents(dataset.samples[stage.rows], precision=precision)
                if latents is None
                else latents[stage.rows]
            )
            frame = self._frame(model, stage, shown, gamma, clusters)
            self.recorder.frame(frame)
            entry["frame"] = True
            if due:
                self._maps = frame.maps
            else:  # a look aside: the maps to come are those of a run without a step
                entry["frame_of_step"] = True
            if self.config.keep_weights:
                self.recorder.weights(frame.number, model.tensors())
            # How far each map may be trusted: shares of the 10 nearest neighbours that it keeps.
            entry["recall"] = {
                lens: float(neighbour_recall(frame.latents, places).mean())
                for lens, places in frame.maps.items()
            }
        entry["elapsed"] = self.elapsed + report.seconds + time.monotonic() - began
        self.recorder.line(entry)
        self.reports += 1
        if self.listener is not None:
            self.listener(entry)

    def _wants_frame(self, training: Training) -> bool:
        """Whether an epoch is due for a frame: the last of a phase always, the others evenly.

        Pretraining gets a quarter of the frames: the sorting comes after it.
        """
        stage, done = training.position.stage, training.position.epochs_done
        pretraining = training.phases[stage].name == "pretrain"
        alike = [p for p in training.phases if (p.name == "pretrain") == pretraining]
        share = self.config.max_frames * (0.25 if pretraining else 0.75)
        every = max(1, math.ceil(sum(max(p.epochs, 1) for p in alike) / max(1.0, share)))
        return done % every == 0 or done >= max(training.phases[stage].epochs, 1)

    def _frame(
        self,
        model: LatentModel,
        stage: Stage,
        latents: NDArray[Any],
        gamma: NDArray[Any] | None,
        clusters: NDArray[np.int64] | None,
    ) -> Frame:
        maps = {
            lens: LENSES[lens].function(latents, self._maps.get(lens), seed=self.config.seed)
            for lens in self.config.lenses
        }
        prior: dict[str, NDArray[np.float32]] = {}
        if gamma is not None:
            with torch.inference_mode():
                names = ("log_weights", "means", "log_variances")
                parts = model.assigning_prior().components()
                prior = {n: p.cpu().numpy() for n, p in zip(names, parts, strict=True)}
        return Frame(
            self.reports,
            latents,
            maps,
            None if gamma is None else gamma[stage.rows],
            None if clusters is None else clusters[stage.rows],
            prior,
            model.decode(latents[stage.shown]),
        )

    def _save(self, model: LatentModel, training: Training) -> None:
        self.recorder.checkpoint(
            model.tensors(),
            training.optimiser_state(),
            training.position,
            self.reports,
            self.elapsed,
        )

    def _announce(self, training: Training, seconds: float) -> None:
        """Say what comes next and, from the pace so far, how long it will take."""
        phase = training.current
        if phase is None:
            return
        position = training.position
        stage = training.phases.index(phase)
        done = position.epochs_done if stage == position.stage else 0
        total = sum(p.epochs for p in training.phases)
        past = sum(p.epochs for p in training.phases[:stage]) + done
        pace = (self.elapsed - self._looked) / past if past else None
        self.control.say(
            phase.words,
            phase=phase.name,
            epoch=phase.before + done if phase.epochs else 0,
            epochs=phase.out_of,
            past_epochs=past,
            total_epochs=total,
            seconds_an_epoch=seconds or None,
            eta_seconds=None if pace is None else pace * (total - past),
            elapsed=self.elapsed,
            reports=self.reports,
        )


def shown_samples(labels: NDArray[np.int64] | None, n: int, most: int = SHOWN) -> NDArray[np.int64]:
    """Positions of the samples whose reconstructions are kept, 20 at most: classes in turn.

    Where samples have one or two values, all of the stage set are: they take less room than their
    latents, and their density is what can be shown.
    """
    if labels is None:
        return np.unique(np.linspace(0, n - 1, min(most, n)).astype(np.int64))
    rank = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    order = np.lexsort((labels, rank))
    return np.sort(order[: min(most, n)])
