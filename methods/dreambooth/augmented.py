"""Images as the published training sees them: cropped, coloured a little otherwise and mirrored, anew in each step.

Source: manrai/synthetic-derm, whose transforms are torchvision's.
"""

import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms

from tonegap_kit.diffusion.models import Models
from tonegap_kit.partition import Pictures


class Augmented:
    """Pictures, encoded by the models' autoencoder each time they are asked for."""

    def __init__(self, models: Models, pictures: Pictures) -> None:
        self._models, self._pictures = models, pictures
        side = transforms.RandomResizedCrop(models.image_px, scale=(0.9, 1.1), ratio=(0.9, 1.1))
        jitter = transforms.ColorJitter(0.05, 0.05, 0.05, 0.05)
        steps = [side, jitter, transforms.RandomHorizontalFlip(), transforms.ToTensor()]
        self._change = transforms.Compose([*steps, transforms.Normalize([0.5], [0.5])])

    def draw(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        """Scaled latents [len(rows), c, h, w] in main memory."""
        models, images = self._models, self._pictures.take(rows.numpy())
        seed = int(torch.randint(2**62, (1,), generator=rng))
        with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
            torch.manual_seed(seed)
            pixels = torch.stack([self._change(Image.fromarray(image)) for image in images])
        with torch.no_grad():
            found = models.vae.encode(pixels.to(models.device, models.dtype)).latent_dist
        mean, deviation = found.mean.float().cpu(), found.std.float().cpu()
        noise = torch.randn(mean.shape, generator=rng)
        scaled: Tensor = (mean + deviation * noise) * models.vae.config.scaling_factor
        return scaled
