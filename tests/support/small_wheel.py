"""A wheel with one module, and a lock that finds it without any index."""

import zipfile
from pathlib import Path

from tonegap.files import sha256_file


def locked_wheel(folder: Path, name: str, version: str) -> Path:
    """`requirements.txt` in a folder, locking a wheel beside it by hash."""
    stem = f"{name}-{version}"
    wheel = folder / f"{stem}-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        archive.writestr(f"{stem}.dist-info/METADATA", metadata)
        archive.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        names = (f"{name}.py", f"{stem}.dist-info/METADATA", f"{stem}.dist-info/WHEEL")
        rows = [*names, f"{stem}.dist-info/RECORD"]
        archive.writestr(f"{stem}.dist-info/RECORD", "".join(f"{row},,\n" for row in rows))
    lock = folder / "requirements.txt"
    pin = f"{name}=={version} --hash=sha256:{sha256_file(wheel)}"
    lock.write_text(f"--no-index\n--find-links {folder}\n{pin}")
    return lock
