"""A small network that names the class and the tone of a picture, read from one file of weights.

It judges synthetic pictures, and its body's features are what distances between sets of pictures are
measured in. The file says itself which classes and tones it knows, so nothing has to be told twice.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tonegap_kit.errors import StageError
from tonegap_kit.small_net import Cnn4
from tonegap_kit.sources import normalise
from tonegap_kit.weights_file import read_weights

N_FEATURES = 256
_BATCH = 256
_KIND = "tonegap/probe@1"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a classifier makes of n pictures: `p_class` [n, k] and `p_tone` [n, tones], each row summing to 1."""

    p_class: NDArray[np.float64]
    p_tone: NDArray[np.float64]


class PhantomClassifier(nn.Module):
    """The body of `cnn4`, a class head and a tone head that both stand on its features."""

    def __init__(self, classes: tuple[str, ...], tones: tuple[str, ...], size_px: int) -> None:
        super().__init__()
        self.classes, self.tones, self.size_px = classes, tones, size_px
        body = Cnn4(len(classes))
        body.set_submodule("head", nn.Identity())
        self.body = body
        self.class_head = nn.Linear(N_FEATURES, len(classes))
        self.tone_head = nn.Linear(N_FEATURES, len(tones))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Class scores [b, k] and tone scores [b, tones] of pictures [b, 3, s, s] that `sources.normalise` gave."""
        features = self.body(x)
        return self.class_head(features), self.tone_head(features)

    @torch.no_grad()
    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features [n, N_FEATURES] of pictures [n, size_px, size_px, 3]."""
        parts = [self.body(x).numpy() for x in self._batches(images)]
        return np.concatenate(parts) if parts else np.zeros((0, N_FEATURES), np.float32)

    @torch.no_grad()
    def judge(self, images: NDArray[np.uint8]) -> Opinion:
        """Probabilities of classes and tones of pictures [n, size_px, size_px, 3], at least one."""
        scores = [self(x) for x in self._batches(images)]
        p_class, p_tone = (
            torch.cat(parts).double().softmax(dim=1).numpy() for parts in zip(*scores, strict=True)
        )
        return Opinion(p_class, p_tone)

    def _batches(self, images: NDArray[np.uint8]) -> list[Tensor]:
        if images.shape[1:] != (self.size_px, self.size_px, 3):
            raise StageError(
                f"classifier: pictures are {images.shape[1:]}, wanted "
                f"({self.size_px}, {self.size_px}, 3), which it was trained on; resize them first"
            )
        starts = range(0, len(images), _BATCH)
        return [normalise(torch.from_numpy(images[i : i + _BATCH])) for i in starts]


def read_classifier(path: Path) -> PhantomClassifier:
    """The classifier of a file, ready to judge. Raises StageError where the file holds no classifier."""
    weights, about = read_weights(path), _about(path)
    try:
        known = json.loads(about["probe"])
        classifier = PhantomClassifier(
            tuple(known["classes"]), tuple(known["tones"]), int(known["size_px"])
        )
        classifier.load_state_dict(weights)
    except (KeyError, ValueError, TypeError, RuntimeError):
        raise StageError(
            f"{path}: holds weights, but no classifier of kind {_KIND}; wanted one written by `write_classifier`"
        ) from None
    return classifier.eval().requires_grad_(False)


def write_classifier(classifier: PhantomClassifier, path: Path) -> None:
    """Leaves the classifier in one safetensors file, together with what it knows."""
    known = {
        "classes": classifier.classes,
        "tones": classifier.tones,
        "size_px": classifier.size_px,
    }
    about = {"kind": _KIND, "probe": json.dumps(known)}
    save_file({n: v.contiguous() for n, v in classifier.state_dict().items()}, path, about)


def _about(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, framework="pt") as file:
            found = file.metadata()
    except (OSError, SafetensorError) as problem:
        raise StageError(f"{path}: is no valid safetensors file: {problem}") from None
    return dict(found or {})
