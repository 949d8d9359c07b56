"""A few steps of each lesson on the parts as they are built: weights move, and what is frozen stays."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from benchmarks.phantom.models.training import autoencoder, denoiser, judge
from benchmarks.phantom.models.training.architecture import build_parts
from benchmarks.phantom.models.training.autoencoder import Taught
from benchmarks.phantom.models.training.descent import Recipe
from benchmarks.phantom.models.training.pictures import TYPICAL, draw_pictures

SHORT = Recipe(steps=2, learning_rate=1e-3, averaged_over=1, seed=0)
PICTURES = draw_pictures("lesson", 1, TYPICAL)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten().clone() for p in module.parameters()])


def test_the_autoencoder_learns_and_scales_its_latents_to_one(tmp_path):
    vae = build_parts(0).vae
    before = weights(vae)
    taught = Taught(replace(autoencoder.FIRST, recipe=SHORT), PICTURES, PICTURES)
    autoencoder.train_vae(vae, taught, tmp_path / "vae.pt", lambda _: None)
    assert not torch.equal(weights(vae), before)
    latents = autoencoder.encode(vae, taught.images()) * vae.config.scaling_factor
    assert latents.std().item() == pytest.approx(1, abs=0.01)


def test_the_denoiser_learns_together_with_the_text_encoder_and_leaves_the_autoencoder(tmp_path):
    parts = build_parts(0)
    parts.vae.requires_grad_(False)
    before = [weights(part) for part in (parts.unet, parts.text_encoder, parts.vae)]
    latents = denoiser.latents_of(parts, PICTURES, np.random.default_rng(0))
    denoiser.train_denoiser(parts, latents, SHORT, tmp_path / "unet.pt", lambda _: None)
    after = [weights(part) for part in (parts.unet, parts.text_encoder, parts.vae)]
    moved = [not torch.equal(b, a) for b, a in zip(before, after, strict=True)]
    assert moved == [True, True, False]


def test_every_picture_is_learned_from_twice(tmp_path):
    latents = denoiser.latents_of(build_parts(0), PICTURES, np.random.default_rng(0))
    assert latents.z.shape == (2 * len(PICTURES), 4, 16, 16)
    assert latents.y.tolist() == [*PICTURES.y, *PICTURES.y]


def test_the_probe_starts_from_its_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "RECIPE", SHORT)
    first, second = (
        judge.train_classifier(PICTURES, tmp_path / f"{i}.pt", lambda _: None)[0] for i in range(2)
    )
    assert np.array_equal(first.features(PICTURES.images[:4]), second.features(PICTURES.images[:4]))
