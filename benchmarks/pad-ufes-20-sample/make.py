"""Makes the sample from a copy of PAD-UFES-20: `python make.py METADATA IMAGES`, images as released or as JPEG.

Whole patients: first all with a melanoma or a squamous cell carcinoma, or of type IV to VI, so that these stay; then
others in the order of a SHA-256 of their ids, until 600 photographs are reached. Each is reduced to 128 px at its
shorter side and saved as JPEG without EXIF.
"""

import csv
import hashlib
import sys
from collections import defaultdict
from pathlib import Path

from PIL import Image, ImageOps

N, SIDE, QUALITY = 600, 128, 88
COLUMNS = ("img_id", "patient_id", "lesion_id", "diagnostic", "fitspatrick", "biopsed", "region")
RARE = {"MEL", "SCC", "4.0", "5.0", "6.0"}
HERE = Path(__file__).parent


def main(metadata: Path, images: Path) -> None:
    """Writes metadata.csv and images/ beside this file."""
    there = {path.stem: path for path in images.rglob("PAT_*") if path.is_file()}
    patients: dict[str, list[dict[str, str]]] = defaultdict(list)
    with metadata.open(newline="", encoding="utf-8") as f:
        for row in csv.DictReader(f):
            if Path(row["img_id"]).stem in there:
                patients[row["patient_id"]].append(row)
    chosen: list[dict[str, str]] = []
    for patient in sorted(patients, key=lambda p: (not _is_rare(patients[p]), _rank(p))):
        if len(chosen) < N:
            chosen += patients[patient]
    chosen.sort(key=lambda row: row["img_id"])
    with (HERE / "metadata.csv").open("w", newline="", encoding="utf-8") as f:
        rows = csv.DictWriter(f, COLUMNS, extrasaction="ignore", lineterminator="\n")
        rows.writeheader()
        rows.writerows(chosen)
    (HERE / "images").mkdir(exist_ok=True)
    for old in (HERE / "images").glob("*.jpg"):
        old.unlink()
    for row in chosen:
        stem = Path(row["img_id"]).stem
        with Image.open(there[stem]) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
        scale = SIDE / min(picture.size)
        size = (round(picture.width * scale), round(picture.height * scale))
        small = picture.resize(size, Image.Resampling.LANCZOS)
        small.save(HERE / "images" / f"{stem}.jpg", quality=QUALITY, optimize=True)


def _is_rare(rows: list[dict[str, str]]) -> bool:
    return any(RARE.intersection((row["diagnostic"], row["fitspatrick"])) for row in rows)


def _rank(patient: str) -> str:
    return hashlib.sha256(patient.encode()).hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
