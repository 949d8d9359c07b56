"""The classifier that judges samples, trained on pictures that the pipeline never saw."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from benchmarks.phantom.models.training.autoencoder import turned
from benchmarks.phantom.models.training.descent import Progress, Recipe, descend
from benchmarks.phantom.models.training.phantom_classifier import PhantomClassifier
from benchmarks.phantom.models.training.pictures import SIZE_PX, Pictures, classes
from torch import Tensor
from torch.nn import functional

from tonegap.tones import TYPES
from tonegap_kit.sources import normalise

RECIPE = Recipe(steps=2000, learning_rate=3e-3, averaged_over=100, seed=3)
_BATCH = 32


@dataclass(frozen=True, slots=True)
class _Lesson:
    classifier: PhantomClassifier
    pictures: Pictures

    def loss(self, rng: np.random.Generator, _noise: torch.Generator) -> Tensor:
        rows = rng.integers(len(self.pictures), size=_BATCH)
        images = turned(self.pictures.images[rows], rng)
        by_class, by_tone = self.classifier(normalise(torch.from_numpy(images)))
        y, t = (torch.from_numpy(a[rows]) for a in (self.pictures.y, self.pictures.t))
        return functional.cross_entropy(by_class, y) + functional.cross_entropy(by_tone, t)


def train_classifier(
    pictures: Pictures, checkpoint: Path, progress: Progress
) -> tuple[PhantomClassifier, float]:
    """A classifier of the classes and types I to VI, and the CPU seconds it took."""
    torch.manual_seed(RECIPE.seed)
    classifier = PhantomClassifier(classes(), TYPES, SIZE_PX)
    cpu_s = descend(classifier, _Lesson(classifier, pictures).loss, RECIPE, checkpoint, progress)
    return classifier.eval().requires_grad_(False), cpu_s
