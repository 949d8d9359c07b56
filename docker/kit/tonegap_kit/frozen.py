"""A frozen backbone by its library's name, with its weights and its preprocessing, checked before it is used.

The mistake it exists to prevent: features of a network that was given images scaled otherwise than in its training,
which look like features and score a few points lower.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tonegap_kit.command import Stage, progress
from tonegap_kit.determinism import make_deterministic
from tonegap_kit.errors import StageError
from tonegap_kit.partition import has_partition, read_partition
from tonegap_kit.weights_file import read_weights

Images = NDArray[np.uint8]
Features = NDArray[np.float32]
N_KEPT = 16  # features of a golden vector that are kept
# Of the root mean square of a vector. Two machines differ by 1e-5 of it, a wrong normalisation by 0.1 and more.
TOLERANCE = 2e-3
# Of a random network: the same one for every job.
_RANDOM_SEED = 0
_HALF_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True)
class Backbone:
    """A network with how its images are scaled: `mean` and `std` [3] of values from 0 to 1, the centre `crop_px`."""

    network: Callable[[Tensor], Tensor]
    mean: Tensor
    std: Tensor
    crop_px: int
    device: torch.device

    @torch.inference_mode()
    def features(self, images: Images) -> Features:
        """Features float32 [n, d] of images uint8 [n, size, size, 3]."""
        x = torch.from_numpy(np.array(images)).to(self.device).permute(0, 3, 1, 2).float() / 255
        start = (x.shape[2] - self.crop_px) // 2
        x = x[:, :, start : start + self.crop_px, start : start + self.crop_px]
        found = self.network((x - self.mean) / self.std)
        return np.asarray(found.float().cpu().numpy(), np.float32)


def embed(stage: Stage, golden: Path) -> None:
    """Leaves `bank.npy`: features [n, d] of `images.csv`, row i for image i, as `precision` says."""
    backbone, notes = open_backbone(stage, golden)
    images: Images = np.load(stage.inputs / "images.npy", mmap_mode="r", allow_pickle=False)
    found = _in_batches(stage, backbone, images, len(images), 0)
    if stage.job.text("precision") == "fp16":
        if np.abs(found).max(initial=0) > _HALF_LARGEST:
            raise StageError("precision is 'fp16', but a feature is larger than 65504; take fp32")
        np.save(stage.out / "bank.npy", found.astype(np.float16))
    else:
        np.save(stage.out / "bank.npy", found)
    _leave(stage, notes | {"dimensions": found.shape[1]})


def features(stage: Stage, golden: Path) -> None:
    """Leaves `train.npy` and `synthetic.npy`, float32 [n, d], for a quality sheet."""
    backbone, notes = open_backbone(stage, golden)
    names = [name for name in ("train", "synthetic") if has_partition(stage, name)]
    parts = {name: read_partition(stage, name).pictures for name in names}
    total, done = sum(map(len, parts.values())), 0
    for name, pictures in parts.items():
        images = pictures.take(np.arange(len(pictures)))
        found = _in_batches(stage, backbone, images, total, done)
        done += len(found)
        np.save(stage.out / f"{name}.npy", found)
    _leave(stage, notes | {"dimensions": found.shape[1]})


def open_backbone(stage: Stage, golden: Path) -> tuple[Backbone, dict[str, Any]]:
    """The backbone that a stage's parameters name, and notes on it; `golden`: where its golden vectors are.

    Raises StageError for weights that do not fit, and where the golden vectors say that weights or preprocessing are
    others than the backbone's.
    """
    job, device = stage.job, make_deterministic(stage)
    crop_px = job.integer("crop_px") or job.size_px
    if crop_px > job.size_px:
        raise StageError(f"crop_px is {crop_px}, but images have {job.size_px} px")
    torch.manual_seed(_RANDOM_SEED)
    network = _LIBRARIES[job.text("library")](stage, crop_px)
    network.eval().requires_grad_(False).to(device)
    mean, std = (_of_channels(stage, name, device) for name in ("mean", "std"))
    backbone = Backbone(network, mean, std, crop_px, device)
    weights = job.text("weights").partition("#sha256=")[2] or "none"
    checked = _check_golden(stage, backbone, weights, golden)
    return backbone, {"random": weights == "none", "golden": checked}


def golden_vectors(backbone: Backbone, fixed: Images) -> list[list[float]]:
    """The first features of each of these images, then the root mean square of all of them."""
    found = backbone.features(fixed).astype(np.float64)
    size = np.sqrt((found**2).mean(axis=1, keepdims=True))
    return [row.tolist() for row in np.hstack([found[:, :N_KEPT], size]).round(6)]


def _check_golden(stage: Stage, backbone: Backbone, weights: str, golden: Path) -> str:
    """What the golden vectors say: `agree`, or `unchecked` where the stage is told to do without.

    They are made of pictures that the engine draws, not square, and prepares as it does the stage's images, so that
    another geometry, size or filter is seen as well as another normalisation.
    """
    declared = _declared(golden).get(weights)
    if declared is None:
        if stage.job.text("golden") == "unchecked":
            return "unchecked"
        found = golden_vectors(backbone, _fixed_pictures(stage))
        raise StageError(
            f"{golden.name}: no golden vectors for weights {weights[:12]}; here the fixed pictures give "
            f"{json.dumps(found)}: compare them with the backbone's own code and add "
            "them, or set golden to unchecked, which the stage's notes then say"
        )
    here = np.array(golden_vectors(backbone, _fixed_pictures(stage)))
    wanted = np.array(declared, np.float64)
    if here.shape != wanted.shape:
        raise StageError(
            f"{golden.name}: holds {list(wanted.shape)} numbers, wanted {list(here.shape)}"
        )
    off = np.abs(here - wanted).max(axis=1) / wanted[:, -1]
    if off.max() > TOLERANCE:
        raise StageError(
            f"{golden.name}: fixed picture {off.argmax() + 1} differs by {off.max():.3f} of its features' size from "
            f"those declared for weights {weights[:12]}, wanted at most {TOLERANCE}: geometry, image_size_px, crop_px, "
            "mean, std or the network are others than the backbone's; take them back to what its folder declares"
        )
    return "agree"


def _fixed_pictures(stage: Stage) -> Images:
    path, size_px = stage.inputs / "golden.npy", stage.job.size_px
    try:
        fixed: Images = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise StageError(f"{path}: cannot be read as an array: {problem}") from None
    if fixed.dtype != np.uint8 or fixed.shape[1:] != (size_px, size_px, 3):
        raise StageError(
            f"{path}: holds {fixed.dtype} {list(fixed.shape)}, wanted uint8 pictures of {size_px} px"
        )
    return fixed


def _declared(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as problem:
        raise StageError(f"{path}: cannot be read as JSON: {problem}") from None
    if not isinstance(found, dict):
        raise StageError(f"{path}: wanted golden vectors by the SHA-256 of the weights")
    return found


def _of_channels(stage: Stage, name: str, device: torch.device) -> Tensor:
    values = stage.job.parameters.get(name)
    if (
        not isinstance(values, list)
        or len(values) != 3
        or not all(type(v) in {int, float} for v in values)
    ):
        raise StageError(f"{name} is {values!r}, wanted three numbers, for red, green and blue")
    if name == "std" and min(values) <= 0:
        raise StageError(f"std is {values!r}, wanted three numbers above 0")
    return torch.tensor(values, dtype=torch.float32, device=device).view(1, 3, 1, 1)


def _in_batches(
    stage: Stage, backbone: Backbone, images: Images, total: int, done: int
) -> Features:
    batch, size_px = stage.job.integer("batch"), stage.job.size_px
    blank = np.zeros((1, size_px, size_px, 3), np.uint8)
    found = [backbone.features(blank)[:0]]  # so that no image still has so many features
    for start in range(0, len(images), batch):
        found.append(backbone.features(images[start : start + batch]))
        progress(done + start + len(found[-1]), total)
    return np.concatenate(found)


def _leave(stage: Stage, notes: Mapping[str, Any]) -> None:
    (stage.out / "notes.json").write_text(json.dumps(notes, sort_keys=True), encoding="utf-8")


def _tensors(stage: Stage) -> dict[str, Tensor] | None:
    """The weights that were given, without the prefix of their names; None for a random network."""
    path, prefix = stage.file("weights"), stage.job.text("prefix")
    if path is None:
        if stage.job.flag("needs_weights"):
            raise StageError(
                "weights is none, but a random network of this size says nothing; "
                "give the backbone's own as PATH#sha256=HEX"
            )
        return None
    tensors = read_weights(path)
    found = {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}
    if not found:
        raise StageError(f"{path}: no tensor's name starts with {prefix!r}")
    return found


def _timm(stage: Stage, crop_px: int) -> nn.Module:
    import timm

    name, tensors = stage.job.text("network"), _tensors(stage)
    if not timm.is_model(name):
        raise StageError(f"network is {name!r}, which timm {timm.__version__} does not have")
    own = {"img_size": crop_px} if _takes_size(timm.model_entrypoint(name)) else {}
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **own)
    if tensors is None:
        return network

    def loaded(**overlay: int) -> nn.Module:
        given = {"pretrained_cfg_overlay": {**overlay, "state_dict": dict(tensors)}}
        found: nn.Module = timm.create_model(name, pretrained=True, num_classes=0, **own, **given)
        return found

    try:
        try:  # strictly, after timm's own changes of names, as if the file were one without classes
            return loaded(num_classes=0, label_offset=0)
        except RuntimeError as problem:
            missing, unexpected = (_names(str(problem), word) for word in _WORDS)
            if not missing and not unexpected:
                raise
            _check_names(f"{name} of timm", missing, unexpected, _heads(network))
        return loaded()
    except (RuntimeError, KeyError, AttributeError) as problem:
        raise StageError(
            f"weights do not fit {name} of timm: {str(problem).splitlines()[0]}"
        ) from None


_WORDS = ("Missing", "Unexpected")  # as torch's strict loading says it


def _names(text: str, word: str) -> list[str]:
    """The names of tensors that torch says are missing or unexpected."""
    found = re.search(word + r' key\(s\) in state_dict: ((?:"[^"]+"(?:, )?)+)', text)
    return re.findall(r'"([^"]+)"', found[1]) if found else []


def _heads(network: Any) -> tuple[str, ...]:
    """What the names of the classification head of a network of timm start with."""
    heads = network.pretrained_cfg.get("classifier") or ()
    return tuple(f"{head}." for head in ([heads] if isinstance(heads, str) else heads))


def _check_names(
    network: str, missing: Iterable[str], unexpected: Iterable[str], heads: tuple[str, ...]
) -> None:
    """Raises StageError for tensors that a file does not have, and for those that the network does not, but its head.

    Both libraries pass over them: what is missing stays random, what is left over is lost.
    """
    left_over = [name for name in unexpected if not name.startswith(heads)]
    said = [
        f"{counted} {'is' if counted == 1 else 'are'} {what} (first: {', '.join(sorted(names)[:3])})"
        for names, what in ((list(missing), "missing"), (left_over, "no part of the network"))
        if (counted := len(names))
    ]
    if said:
        raise StageError(
            f"weights do not fit {network}: of the tensors {', and '.join(said)}; is the prefix right, and the network?"
        )


def _takes_size(entrypoint: Callable[..., nn.Module]) -> bool:
    return (
        "vision_transformer" in entrypoint.__module__
        or "beit" in entrypoint.__module__
        or "eva" in entrypoint.__module__
    )


class _BeforeLast(nn.Module):
    """A classifier's features: what goes into its last linear layer."""

    def __init__(self, network: nn.Module, last: nn.Linear) -> None:
        super().__init__()
        self._network = network
        self._seen: list[Tensor] = []
        last.register_forward_pre_hook(
            lambda _module, given: self._seen.append(given[0].flatten(1))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features [n, d] of images."""
        self._network(x)
        return self._seen.pop()


def _torchvision(stage: Stage, crop_px: int) -> nn.Module:
    import torchvision.models

    name, tensors = stage.job.text("network"), _tensors(stage)
    if name not in torchvision.models.list_models(module=torchvision.models):
        raise StageError(f"network is {name!r}, which torchvision does not have")
    own: dict[str, Any] = {"image_size": crop_px} if name.startswith("vit_") else {}
    network: nn.Module = torchvision.models.get_model(name, weights=None, **own)
    if tensors is not None:
        try:
            network.load_state_dict(tensors)
        except RuntimeError as problem:
            raise StageError(
                f"weights do not fit {name} of torchvision: {str(problem).splitlines()[1].strip()}"
            ) from None
    last = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return _BeforeLast(network, last[-1])


_HEADS = (
    "classifier.",
    "head.",
    "pooler.",
)  # of models of transformers: what a bare tower does not use


class _Tower(nn.Module):
    """The image tower of a model of transformers: its image embedding where it has one, else its pooled output."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Features [n, d] of images."""
        if hasattr(self.model, "get_image_features"):
            left = self.model.get_image_features(pixel_values=x)
        else:
            left = self.model(pixel_values=x)
        if isinstance(left, Tensor):
            return left
        pooled: Tensor | None = left.get("pooler_output")
        first: Tensor = left.last_hidden_state[:, 0]
        return first if pooled is None else pooled


def _transformers(stage: Stage, crop_px: int) -> nn.Module:
    import transformers

    folder, prefix = stage.folder("weights"), stage.job.text("prefix")
    if folder is None:
        raise StageError("weights is none, wanted a folder of transformers as PATH#sha256=HEX")
    if prefix:
        raise StageError(
            f"prefix is {prefix!r}, but a folder of transformers has that library's own names; leave prefix empty"
        )
    try:
        model, found = transformers.AutoModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as problem:
        raise StageError(
            f"{folder}: no model of transformers: {str(problem).splitlines()[0]}"
        ) from None
    missing = set(found["missing_keys"])
    if missing and all(name.startswith("pooler.") for name in missing):
        model.pooler, missing = None, set()  # never trained: the first token is the feature
    _check_names(folder.name, missing, found["unexpected_keys"], _HEADS)
    vision = getattr(model.config, "vision_config", model.config)
    if vision.image_size != crop_px:
        raise StageError(
            f"crop_px is {crop_px}, but the network of {folder.name} wants {vision.image_size} px"
        )
    return _Tower(model)


_LIBRARIES: Mapping[str, Callable[[Stage, int], nn.Module]] = {
    "timm": _timm,
    "torchvision": _torchvision,
    "transformers": _transformers,
}
