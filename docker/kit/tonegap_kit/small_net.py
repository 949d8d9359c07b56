"""A network small enough to be trained in seconds on one core, for smoke tests and demonstrations."""

from torch import Tensor, nn

_WIDTHS = (16, 32, 64, 128)


class Cnn4(nn.Module):
    """Four strided convolutions and one linear layer: 0.1 million weights, for images of 32 px or more.

    Called `cnn4`. Each layer halves the picture, so most of the work is done on few pixels.
    """

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in _WIDTHS:
            layers += [
                nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            before = width
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(before, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Scores [b, n_classes] of images [b, 3, s, s]."""
        scores: Tensor = self.head(self.layers(x).mean(dim=(2, 3)))
        return scores
