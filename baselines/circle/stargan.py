"""The generator of a StarGAN: an image and the domain it should be moved to, in; the moved image, out.

Source: Choi et al. 2018, arXiv 1711.09020, table 4, with the sizes that CIRCLe names: 64 channels, 6 blocks.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from tonegap_kit.errors import StageError
from tonegap_kit.weights_file import read_weights

_CHANNELS, _BLOCKS = 64, 6


class Generator(nn.Module):
    """From images `[b, 3, s, s]` of -1 to 1 and domains `[b, d]`, one-hot, to images of -1 to 1."""

    def __init__(self, n_domains: int) -> None:
        super().__init__()
        width = _CHANNELS
        layers = _layer(nn.Conv2d(3 + n_domains, width, 7, 1, 3, bias=False))
        for _ in range(2):
            layers += _layer(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False))
            width *= 2
        layers += [_Residual(width) for _ in range(_BLOCKS)]
        for _ in range(2):
            layers += _layer(nn.ConvTranspose2d(width, width // 2, 4, 2, 1, bias=False))
            width //= 2
        layers += [nn.Conv2d(width, 3, 7, 1, 3, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)
        self.n_domains = n_domains

    def forward(self, x: Tensor, domain: Tensor) -> Tensor:
        """Images in these domains."""
        planes = domain[:, :, None, None].expand(-1, -1, *x.shape[2:])
        made: Tensor = self.main(torch.cat([x, planes], dim=1))
        return made


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            *_layer(nn.Conv2d(width, width, 3, 1, 1, bias=False)),
            *_layer(nn.Conv2d(width, width, 3, 1, 1, bias=False))[:2],
        )

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = x + self.main(x)
        return added


def _layer(convolution: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    norm = nn.InstanceNorm2d(convolution.out_channels, affine=True)
    return [convolution, norm, nn.ReLU(inplace=True)]


def read_generator(path: Path, n_domains: int) -> Generator:
    """The generator in a file of weights, ready to be used. Raises StageError where they do not fit."""
    generator, tensors = Generator(n_domains), read_weights(path)
    wanted = {name: value.shape for name, value in generator.state_dict().items()}
    found = {name: value.shape for name, value in tensors.items()}
    # A file may hold running statistics; in use, each image is normalised by its own.
    misfits = [
        name
        for name in wanted.keys() | found.keys()
        if wanted.get(name) != found.get(name) and not _is_statistic(name)
    ]
    if misfits:
        raise StageError(
            f"{path}: is no generator of a StarGAN with {n_domains} domains, {_CHANNELS} channels and {_BLOCKS} "
            f"blocks: {len(misfits)} tensors are missing, extra or of another shape (first: {min(misfits)})"
        )
    generator.load_state_dict({name: tensors[name] for name in wanted})
    return generator.requires_grad_(False)


def _is_statistic(name: str) -> bool:
    return name.endswith(("running_mean", "running_var", "num_batches_tracked"))


def change_domain(generator: Generator, images: Tensor, domains: Tensor) -> Tensor:
    """Images `uint8 [b, s, s, 3]` moved to these domains `[b]`. Raises StageError if 4 does not divide the side."""
    if images.shape[1] % 4:
        raise StageError(
            f"images of {images.shape[1]} px, wanted a side that 4 divides, for a StarGAN"
        )
    x = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        made: Tensor = generator(x, functional.one_hot(domains, generator.n_domains).float())
    return ((made + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
