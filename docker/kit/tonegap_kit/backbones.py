"""Networks by name, with a head for the task's classes and, if wanted, weights from a local file.

Any classifier of torchvision whose last linear layer is its head can be named, and `cnn4`, which is
our own. Nothing is ever downloaded.
"""

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from tonegap_kit.errors import StageError
from tonegap_kit.small_net import Cnn4
from tonegap_kit.weights_file import read_weights

HEADS = ("linear", "mlp-256", "mlp-256-128")
_IMAGENET_CLASSES = 1000
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """Which network: its name, head, pretrained weights, and whether only the head learns."""

    name: str
    head: str
    weights: Path | None
    is_frozen: bool


class Classifier(nn.Module):
    """A network in two parts: `body` gives features [b, d], `head` turns them into scores [b, k].

    A frozen body does not learn, and its batch statistics stay as they are; its dropout, if it has
    any, goes on as in the papers' code.
    """

    def __init__(self, body: nn.Module, head: nn.Module, is_frozen: bool) -> None:
        super().__init__()
        self.body, self.head, self.is_frozen = body, head, is_frozen
        body.requires_grad_(not is_frozen)

    def forward(self, x: Tensor) -> Tensor:
        """Scores [b, k] of a batch, before the softmax."""
        scores: Tensor = self.head(self.features(x))
        return scores

    def features(self, x: Tensor) -> Tensor:
        """Features [b, d] of a batch."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.is_frozen):
            features: Tensor = self.body(x)
        return features

    def with_head(self, head: nn.Module) -> "Classifier":
        """The same body under another head, from features [b, width]."""
        return Classifier(self.body, head, self.is_frozen)

    @property
    def width(self) -> int:
        """How many features an image has."""
        first = next(m for m in self.head.modules() if isinstance(m, nn.Linear))
        return first.in_features

    def train(self, mode: bool = True) -> "Classifier":
        """Switches to training; a frozen body's batch statistics are left out."""
        super().train(mode)
        if mode and self.is_frozen:
            for module in self.body.modules():
                if not isinstance(module, nn.Dropout):
                    module.training = False
        return self

    @property
    def has_fixed_features(self) -> bool:
        """Whether the same image always gives the same features, so that they can be kept."""
        dropouts = [m for m in self.body.modules() if isinstance(m, nn.Dropout)]
        return self.is_frozen and not any(dropout.p > 0 for dropout in dropouts)


def build_classifier(spec: BackboneSpec, n_classes: int, input_px: int) -> Classifier:
    """The network of a spec for images of `input_px`, on the CPU, in the channels-last layout.

    Raises StageError for a name, a head or a weights file that cannot be used.
    """
    network = _network(spec.name, input_px)
    head_name, head = _last_linear(spec.name, network)
    network.set_submodule(head_name, nn.Identity())
    if spec.weights is not None:
        _load_body(network, read_weights(spec.weights), head_name, spec)
    _pool_by_matrix(network)
    ours = head_named(spec.head, head.in_features, n_classes)
    classifier = Classifier(network, ours, spec.is_frozen)
    return classifier.to(memory_format=torch.channels_last)


def _network(name: str, input_px: int) -> nn.Module:
    if name == "cnn4":
        return Cnn4(_IMAGENET_CLASSES)
    import torchvision.models  # takes as long as training the small network for an epoch

    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        near = ", ".join(difflib.get_close_matches(name, [*known, "cnn4"], 4, 0.4))
        raise StageError(
            f"backbone is {name!r}, wanted cnn4 or a classifier of torchvision, as {near}"
        )
    # A vision transformer is built for one size of image.
    size = {"image_size": input_px} if name.startswith("vit_") else {}
    try:
        network: nn.Module = torchvision.models.get_model(name, weights=None, **size)
    except (AssertionError, ValueError) as problem:
        raise StageError(
            f"backbone {name} cannot be built for {input_px} px images: {problem}"
        ) from None
    if getattr(network, "aux_logits", False):
        raise StageError(f"backbone {name} has more than one output, which this kit cannot train")
    return network


def _last_linear(name: str, network: nn.Module) -> tuple[str, nn.Linear]:
    linear = [(where, m) for where, m in network.named_modules() if isinstance(m, nn.Linear)]
    if not linear:
        raise StageError(f"backbone {name} has no linear layer that could be its head")
    return linear[-1]


def head_named(kind: str, n_features: int, n_classes: int) -> nn.Module:
    """A head from features [b, n_features] to scores [b, n_classes], by its name in HEADS."""
    if kind == "linear":
        return nn.Linear(n_features, n_classes)
    if kind == "mlp-256":  # Groh et al. 2021 and skin-diff, in place of VGG-16's last layer
        return nn.Sequential(
            nn.Linear(n_features, 256), nn.ReLU(), nn.Dropout(0.4), nn.Linear(256, n_classes)
        )
    if kind == "mlp-256-128":  # PatchAlign
        return nn.Sequential(
            nn.Linear(n_features, 256),
            nn.ReLU(),
            nn.Linear(256, 128),
            nn.ReLU(),
            nn.Linear(128, n_classes),
        )
    raise StageError(f"head is {kind!r}, wanted one of {', '.join(HEADS)}")


def _load_body(
    body: nn.Module, tensors: Mapping[str, Tensor], head_name: str, spec: BackboneSpec
) -> None:
    """Loads everything but the head, whatever number of classes the file was made for."""
    renamed = {_OLD_DENSENET.sub(r"\1\2", name): value for name, value in tensors.items()}
    wanted = {n: v for n, v in renamed.items() if not n.startswith(f"{head_name}.")}
    have = {name: value.shape for name, value in body.state_dict().items()}
    # Files older than this count of batches do not hold it, and nothing here reads it.
    misfits = [n for n in have if n not in wanted and not n.endswith("num_batches_tracked")]
    misfits += [n for n, value in wanted.items() if n not in have or have[n] != value.shape]
    if misfits:
        raise StageError(
            f"{spec.weights}: does not fit backbone {spec.name}: {len(misfits)} tensors are missing, "
            f"extra or of another shape (first: {', '.join(misfits[:3])})"
        )
    body.load_state_dict(wanted, strict=False)


class MatrixPool(nn.Module):
    """What AdaptiveAvgPool2d gives, as two matrix products, whose gradients are deterministic on CUDA."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Means [b, c, *size] over bins of [b, c, h, w]."""
        rows, columns = (_bins(n, into, x) for n, into in zip(x.shape[2:], self.size, strict=True))
        return rows @ x @ columns.T


def _bins(n: int, into: int, like: Tensor) -> Tensor:
    """[into, n]: the share of each of n pixels in each of `into` bins."""
    weights = torch.zeros(into, n)
    for i in range(into):
        start, end = i * n // into, math.ceil((i + 1) * n / into)
        weights[i, start:end] = 1 / (end - start)
    return weights.to(like)


def _pool_by_matrix(network: nn.Module) -> None:
    """Replaces adaptive pooling into more than one bin; torch refuses its gradient on CUDA."""
    for where, module in list(network.named_modules()):
        if isinstance(module, nn.AdaptiveAvgPool2d):
            size = module.output_size
            rows, columns = size if isinstance(size, tuple) else (size, size)
            if rows is not None and columns is not None and (rows, columns) != (1, 1):
                network.set_submodule(where, MatrixPool((rows, columns)))
