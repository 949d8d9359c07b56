"""A clinic whose images have a face of their own, and what can be done to one so that it is still the same image."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 64


def picture(seed: int) -> Image.Image:
    """A smooth picture with fine structure all over, another for every seed."""
    rng = np.random.default_rng(seed)
    pixels = np.full((SIDE, SIDE, 3), 128.0)
    for cells, strength in ((4, 40), (16, 18), (32, 12)):
        noise = rng.normal(size=(cells, cells, 3)).astype(np.float32)
        for channel in range(3):
            layer = Image.fromarray(noise[:, :, channel]).resize(
                (SIDE, SIDE), Image.Resampling.BICUBIC
            )
            pixels[:, :, channel] += strength * np.asarray(layer)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def same(image: Image.Image) -> Image.Image:
    return image.copy()


def mirrored(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def encoded_again(image: Image.Image) -> Image.Image:
    content = io.BytesIO()
    image.resize((56, 56), Image.Resampling.BICUBIC).save(content, "JPEG", quality=75)
    return Image.open(content).convert("RGB")


def cropped(image: Image.Image) -> Image.Image:
    return image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=(9, 4, 55, 50))


CHANGES = {"same": same, "mirrored": mirrored, "encoded": encoded_again, "cropped": cropped}


def write_faces(data_root: Path) -> None:
    """24 rows as those of the clinic: the first 16 to train on, the last 8 to test on."""
    data_root.mkdir(parents=True)
    rows = ["image_id,label,tone,half"]
    for i in range(24):
        label = ("basal cell carcinoma", "folliculitis")[i % 2]
        rows.append(f"c{i:02},{label},{('I', 'VI')[i // 2 % 2]},{('pool', 'probe')[i >= 16]}")
        picture(i).save(data_root / f"c{i:02}.png")
    (data_root / "rows.csv").write_text("\n".join(rows) + "\n")
