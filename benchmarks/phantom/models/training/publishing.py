"""What was trained, put where methods find it, with a digest of every file beside it."""

import hashlib
import shutil
from pathlib import Path

PIPELINE, CLASSIFIER, DIGESTS = "phantom-sd", "phantom-probe.safetensors", "SHA256SUMS"


def publish(work: Path, models: Path) -> None:
    """Replaces pipeline and classifier in `models` by those in `work`, each at once, and their digests."""
    fresh, old = models / f".{PIPELINE}.new", models / f".{PIPELINE}.old"
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(work / PIPELINE, fresh)
    if (models / PIPELINE).exists():
        (models / PIPELINE).rename(old)
    fresh.rename(models / PIPELINE)
    shutil.rmtree(old, ignore_errors=True)
    part = models / f".{CLASSIFIER}.new"
    shutil.copyfile(work / CLASSIFIER, part)
    part.replace(models / CLASSIFIER)
    for path in (*(models / PIPELINE).rglob("*"), models / CLASSIFIER):
        # safetensors writes for its owner alone, but stages run as somebody else.
        path.chmod(0o755 if path.is_dir() else 0o644)
    (models / DIGESTS).write_text(digests(models), encoding="utf-8")


def digests(models: Path) -> str:
    """The lines that `sha256sum -c` checks: digest and path of every file that was trained."""
    files = [path for path in (models / PIPELINE).rglob("*") if path.is_file()]
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(models).as_posix()}\n"
        for path in sorted([*files, models / CLASSIFIER])
    ]
    return "".join(lines)
