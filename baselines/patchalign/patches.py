"""Features of the parts of an image: a transformer's tokens, or the last feature map of other networks."""

import torch
from torch import Tensor, nn

from tonegap_kit.backbones import Classifier
from tonegap_kit.errors import StageError


class Patches(nn.Module):
    """A classifier's body that gives patch features [b, n, d] in place of features [b, d].

    They are what the last layer gives that still has more than one place: for a vision transformer its
    patches after the class token. Raises StageError for a network without such a layer.
    """

    def __init__(self, classifier: Classifier, input_px: int) -> None:
        super().__init__()
        self.body = classifier.with_head(nn.Identity())
        example = torch.zeros(2, 3, input_px, input_px, device=next(classifier.parameters()).device)
        self.body.eval()
        with torch.no_grad():
            self._layer = _last_layer_with_places(self.body, example)
            self.n, self.d = self(example).shape[1:]

    def forward(self, x: Tensor) -> Tensor:
        """Patch features [b, n, d] of images [b, 3, s, s]."""
        caught: list[Tensor] = []
        # A hook, since each network names and nests its parts in its own way.
        hook = self.body.get_submodule(self._layer).register_forward_hook(
            lambda _layer, _x, out: caught.append(out)
        )
        try:
            self.body(x)
        finally:
            hook.remove()
        return as_patches(caught[-1])


def as_patches(maps: Tensor) -> Tensor:
    """Patch features [b, n, d] from a feature map [b, d, h, w]; tokens [b, n, d] are some already."""
    return maps.flatten(2).transpose(1, 2) if maps.dim() == 4 else maps


def _last_layer_with_places(body: nn.Module, example: Tensor) -> str:
    ended: list[str] = []

    def watch(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def note(_layer: nn.Module, _x: object, out: object) -> None:
            if isinstance(out, Tensor) and out.dim() in (3, 4) and as_patches(out).shape[1] > 1:
                ended.append(name)

        return module.register_forward_hook(note)

    hooks = [watch(name, module) for name, module in body.named_modules()]
    body(example)
    for hook in hooks:
        hook.remove()
    if not ended:
        side = example.shape[2]
        raise StageError(
            f"the backbone keeps no more than one place of a {side} px image, wanted several: use larger images"
        )
    return ended[-1]
