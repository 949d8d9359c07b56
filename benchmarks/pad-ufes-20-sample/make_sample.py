"""Makes the sample anew from photographs of PAD-UFES-20: whole patients, 128 px, JPEG.

    python benchmarks/pad-ufes-20-sample/make_sample.py --metadata metadata.csv --photographs DIR

Whole patients are chosen so that every diagnosis keeps its share in every type: the project's own rule for held-out
groups. Each photograph is reduced to a shorter side of 128 px. Writes `metadata.csv` and `images/` beside itself.
"""

import argparse
import csv
from pathlib import Path

from PIL import Image, ImageOps

from tonegap.split.grouped import components, held_out

HERE = Path(__file__).parent
N_IMAGES = 600
SIDE_PX = 128
QUALITY = 90
KEY = "pad-ufes-20-sample"
COLUMNS = ("img_id", "patient_id", "lesion_id", "diagnostic", "fitspatrick", "biopsed", "region")
Row = dict[str, str]


def chosen(rows: list[Row]) -> list[Row]:
    """About N_IMAGES of the rows, whole patients, sorted by id."""
    rows = sorted(rows, key=lambda row: row["img_id"])
    patients = components({"patient_id": [row["patient_id"] for row in rows]}, len(rows))
    strata = [f"{row['diagnostic']} {row['fitspatrick']}" for row in rows]
    ids = [row["img_id"] for row in rows]
    kept = held_out(patients, ids, strata, N_IMAGES / len(rows), KEY)
    return [row for i, row in enumerate(rows) if i in kept]


def reduced(path: Path) -> Image.Image:
    """The photograph upright, its shorter side SIDE_PX; never enlarged."""
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    share = min(1.0, SIDE_PX / min(image.size))
    size = tuple(max(1, round(side * share)) for side in image.size)
    return image.resize(size, Image.Resampling.LANCZOS)


def main() -> None:
    """Chooses, reduces and writes."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--metadata", type=Path, required=True)
    arguments.add_argument("--photographs", type=Path, required=True)
    given = arguments.parse_args()
    there = {p.stem: p for p in sorted(given.photographs.iterdir())}
    with given.metadata.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if Path(row["img_id"]).stem in there]
    images = HERE / "images"
    images.mkdir(exist_ok=True)
    for old in images.iterdir():
        old.unlink()
    kept = chosen(rows)
    for row in kept:
        stem = Path(row["img_id"]).stem
        reduced(there[stem]).save(images / f"{stem}.jpg", quality=QUALITY, optimize=True)
    with (HERE / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)


if __name__ == "__main__":
    main()
