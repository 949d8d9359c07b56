"""Features of real and synthetic images: what a network makes of them in one layer.

The mistake it exists to prevent: features of a network whose weights were not loaded, taken for
those of the one that was asked for.
"""

import json
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tonegap_kit.command import Stage, main, progress
from tonegap_kit.determinism import make_deterministic
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Pictures, read_partition
from tonegap_kit.small_net import Cnn4
from tonegap_kit.sources import normalise
from tonegap_kit.weights_file import read_weights

# Of a random network: the same one for every job, so that its numbers can be compared.
_RANDOM_SEED = 0


def features(stage: Stage) -> None:
    """Leaves `train.npy` and `synthetic.npy`, float32 [n, d], row i for image i."""
    device = make_deterministic(stage)
    partitions = {name: read_partition(stage, name) for name in ("train", "synthetic")}
    network = _network(stage).eval().requires_grad_(False).to(device)
    reader = _Layer(stage, network, device, sum(map(len, partitions.values())))
    for name, partition in partitions.items():
        np.save(stage.out / f"{name}.npy", reader.read(partition.pictures))
    notes = {"dimensions": reader.n_dimensions, "random": stage.file("weights") is None}
    (stage.out / "notes.json").write_text(json.dumps(notes), encoding="utf-8")


class _Layer:
    """Reads a layer of a network, image by image."""

    def __init__(
        self, stage: Stage, network: nn.Module, device: torch.device, n_images: int
    ) -> None:
        self._network, self._device, self._n_images = network, device, n_images
        self._batch = stage.job.integer("batch")
        self._normalised = stage.job.text("normalisation") == "imagenet"
        self._seen: Tensor | None = None
        self._done = self.n_dimensions = 0
        _listen(network, stage.job.text("layer"), self)

    def take(self, values: Tensor) -> None:
        """Keeps what the layer gave, averaged over the picture where it has one."""
        self._seen = values.mean(dim=(2, 3)) if values.ndim == 4 else values.flatten(1)

    def read(self, pictures: Pictures) -> NDArray[np.float32]:
        """Features [n, d] of images."""
        found = []
        for start in range(0, len(pictures), self._batch):
            rows = np.arange(start, min(start + self._batch, len(pictures)))
            found.append(self._features(pictures.take(rows)))
            self._done += len(rows)
            progress(self._done, self._n_images)
        array = np.concatenate(found)
        self.n_dimensions = array.shape[1]
        return array

    @torch.inference_mode()
    def _features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        x = torch.from_numpy(images).to(self._device)
        plain = x.permute(0, 3, 1, 2).float() / 255
        self._network(normalise(x) if self._normalised else plain)
        if self._seen is None:
            raise StageError("the layer was never reached, wanted one that every image passes")
        return np.asarray(self._seen.cpu().numpy(), np.float32)


def _listen(network: nn.Module, layer: str, reader: _Layer) -> None:
    """Hands what passes the layer to the reader."""
    modules = dict(network.named_modules())
    if layer == "penultimate":
        linear = [module for module in modules.values() if isinstance(module, nn.Linear)]
        if not linear:
            raise StageError("the network has no linear layer; name a layer instead of penultimate")
        linear[-1].register_forward_pre_hook(lambda _module, given: reader.take(given[0]))
        return
    if layer not in modules:
        raise StageError(f"layer is {layer!r}, wanted penultimate or one of: {_few(modules)}")
    modules[layer].register_forward_hook(lambda _module, _given, left: reader.take(left))


def _few(modules: Mapping[str, nn.Module]) -> str:
    return ", ".join([name for name in modules if name.count(".") == 0 and name][:20])


def _network(stage: Stage) -> nn.Module:
    """The network with its weights; a random one where there are none."""
    torch.manual_seed(_RANDOM_SEED)
    network = _built(stage.job.text("network"), stage.job.size_px)
    path = stage.file("weights")
    if path is None:
        return network
    prefix = stage.job.text("prefix")
    named = {
        name.removeprefix(prefix): value
        for name, value in read_weights(path).items()
        if name.startswith(prefix)
    }
    head = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)][-1:]
    # Nobody reads the head, and files older than the count of batches do not hold it.
    wanted = {
        name: value.shape
        for name, value in network.state_dict().items()
        if not name.startswith(tuple(f"{h}." for h in head))
        and not name.endswith("num_batches_tracked")
    }
    misfits = [
        name for name, shape in wanted.items() if getattr(named.get(name), "shape", None) != shape
    ]
    if misfits:
        raise StageError(
            f"{path}: does not fit the network: {len(misfits)} of {len(wanted)} tensors are missing "
            f"or of another shape (first: {', '.join(misfits[:3])}); is the prefix {prefix!r} right?"
        )
    network.load_state_dict({name: named[name] for name in wanted}, strict=False)
    return network


def _built(name: str, size_px: int) -> nn.Module:
    if name == "cnn4":
        return Cnn4(1)
    import torchvision.models  # takes longer than reading small images

    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        raise StageError(f"network is {name!r}, wanted cnn4 or a classifier of torchvision")
    own: dict[str, bool | int] = {"image_size": size_px} if name.startswith("vit_") else {}
    if name in {"inception_v3", "googlenet"}:
        own = {"init_weights": True}
    network: nn.Module = torchvision.models.get_model(name, weights=None, **own)
    return network


if __name__ == "__main__":
    main(features=features)
