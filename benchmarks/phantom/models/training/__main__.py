"""Trains, judges and publishes phantom-sd: `python -m benchmarks.phantom.models.training --help`."""

import dataclasses
import json
import os
from pathlib import Path

# Read when the libraries are imported: nothing here may wait for a network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import click
import diffusers
import numpy as np
import torch
import transformers
from benchmarks.phantom.models.training import autoencoder, denoiser
from benchmarks.phantom.models.training.architecture import Parts, build_parts, save_pipeline
from benchmarks.phantom.models.training.autoencoder import Taught, fidelity_db, train_vae
from benchmarks.phantom.models.training.denoiser import latents_of, train_denoiser
from benchmarks.phantom.models.training.evaluation import Asking, contact_sheet, judge, sample
from benchmarks.phantom.models.training.judge import train_classifier
from benchmarks.phantom.models.training.phantom_classifier import (
    PhantomClassifier,
    read_classifier,
    write_classifier,
)
from benchmarks.phantom.models.training.pictures import (
    SEED,
    TYPICAL,
    Pictures,
    classes,
    draw_pictures,
    joined,
)
from benchmarks.phantom.models.training.publishing import CLASSIFIER, PIPELINE, publish

_MODELS = Path(__file__).parents[1]
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group()
def commands() -> None:
    """Trains, judges and publishes the small diffusion model of drawn skin."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()


@commands.command()
@click.option("--work", type=_FOLDER, required=True, help="Checkpoints, and what comes out.")
def train(work: Path) -> None:
    """Autoencoder and denoiser in two rounds, then the classifier; run it again to go on after a kill."""
    work.mkdir(parents=True, exist_ok=True)
    parts, seconds = _train_pipeline(work)
    save_pipeline(parts, work / PIPELINE)
    classifier, seconds["classifier"] = _train_classifier(work)
    write_classifier(classifier, work / CLASSIFIER)
    click.echo(json.dumps({"cpu_s": {name: round(s) for name, s in seconds.items()}}))


def _train_pipeline(work: Path) -> tuple[Parts, dict[str, float]]:
    """Parts that learned, and the CPU seconds of each step."""
    typical, usual = draw_pictures("teach", 100, TYPICAL), draw_pictures("usual", 60)
    parts, seconds = build_parts(seed=0), dict[str, float]()
    autoencoder.start_small(parts.vae)
    rounds = (
        ("", autoencoder.FIRST, denoiser.FIRST),
        ("-2", autoencoder.SECOND, denoiser.SECOND),
    )
    for suffix, for_vae, for_denoiser in rounds:
        vae, unet = f"vae{suffix}", f"denoiser{suffix}"
        taught = Taught(for_vae, typical, usual)
        seconds[vae] = train_vae(parts.vae, taught, work / f"{vae}.pt", click.echo)
        for name, pictures in (("typical", typical), ("usual", usual)):
            click.echo(f"{name} pictures: {fidelity_db(parts.vae, pictures.images[:200]):.1f} dB")
        latents = latents_of(parts, typical, np.random.default_rng([SEED, 3]))
        checkpoint = work / f"{unet}.pt"
        seconds[unet] = train_denoiser(parts, latents, for_denoiser, checkpoint, click.echo)
    return parts, seconds


def _train_classifier(work: Path) -> tuple[PhantomClassifier, float]:
    """The classifier and its CPU seconds; half of what it sees is as easy as what the pipeline learned."""
    pictures = joined(draw_pictures("judge", 80, TYPICAL), draw_pictures("judge-usual", 80))
    classifier, classifier_s = train_classifier(pictures, work / "classifier.pt", click.echo)
    for name, unseen in _unseen().items():
        click.echo(f"{name}: {json.dumps(dataclasses.asdict(judge(unseen, classifier)))}")
    return classifier, classifier_s


def _unseen() -> dict[str, Pictures]:
    """Drawings that nothing was trained on, to know how far the classifier can be believed."""
    return {
        "typical drawings": draw_pictures("exam", 10, TYPICAL),
        "usual drawings": draw_pictures("exam-usual", 10),
    }


@commands.command()
@click.option("--models", type=_FOLDER, default=_MODELS, help="Where pipeline and classifier lie.")
@click.option("--per-cell", default=8, help="Samples of each class on each type.")
@click.option("--steps", default=20, help="Steps of the sampler.")
@click.option("--guidance", default=3.0, help="Weight of the prompt.")
@click.option("--sheet", type=click.Path(path_type=Path), help="A PNG to leave: class by type.")
def evaluate(models: Path, per_cell: int, steps: int, guidance: float, sheet: Path | None) -> None:
    """Samples every class on every type, and prints what the classifier makes of it."""
    pictures = sample(models / PIPELINE, Asking(per_cell, steps, guidance), classes())
    verdict = judge(pictures, read_classifier(models / CLASSIFIER))
    click.echo(json.dumps(dataclasses.asdict(verdict), indent=2))
    if sheet is not None:
        contact_sheet(pictures, 2).save(sheet)


@commands.command("publish")
@click.option("--work", type=_FOLDER, required=True, help="The folder that `train` filled.")
def publish_command(work: Path) -> None:
    """Puts pipeline and classifier of a work folder in their place, with digests."""
    publish(work, _MODELS)


if __name__ == "__main__":
    commands()
