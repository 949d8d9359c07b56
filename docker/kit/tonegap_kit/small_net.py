"""A network small enough to be trained in seconds on one core, for smoke tests and demonstrations."""

import torch
from torch import Tensor, nn


class Cnn4(nn.Module):
    """Called `cnn4`: four convolutions and one linear layer, 0.1 million weights, for 32 px or more.

    The first two convolutions halve the picture, so that most of the work is done on few pixels. The
    mean and the maximum over the picture are both kept: a small lesion hardly moves the mean.
    """

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(3, 16, stride=2),
            *_convolution(16, 32, stride=2),
            *_convolution(32, 64, stride=1),
            nn.MaxPool2d(2),
            *_convolution(64, 128, stride=1),
        )
        self.head = nn.Linear(2 * 128, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Scores [b, n_classes] of images [b, 3, s, s]."""
        maps = self.layers(x)
        scores: Tensor = self.head(torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1))
        return scores


def _convolution(before: int, after: int, stride: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
