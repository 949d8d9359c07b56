"""A wheel with one module, and a lock that finds it without any index."""

import zipfile
from pathlib import Path

from tonegap.files import sha256_file


def locked_wheel(folder: Path, name: str, version: str) -> Path:
    """`requirements.txt` in a folder, locking a wheel beside it by hash."""
    return lock_wheels(folder / "requirements.txt", folder, {name: version})


def lock_wheels(lock: Path, folder: Path, packages: dict[str, str]) -> Path:
    """A lock of packages by hash, each a wheel with one module in a folder."""
    pins = [
        f"{n}=={v} --hash=sha256:{sha256_file(_wheel(folder, n, v))}" for n, v in packages.items()
    ]
    lock.write_text("\n".join([f"--no-index\n--find-links {folder}", *pins]))
    return lock


def _wheel(folder: Path, name: str, version: str) -> Path:
    stem = f"{name}-{version}"
    wheel = folder / f"{stem}-py3-none-any.whl"
    if wheel.is_file():
        return wheel
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", f"__version__ = {version!r}\n")
        archive.writestr(f"{stem}.dist-info/METADATA", metadata)
        archive.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        names = (f"{name}.py", f"{stem}.dist-info/METADATA", f"{stem}.dist-info/WHEEL")
        rows = [*names, f"{stem}.dist-info/RECORD"]
        archive.writestr(f"{stem}.dist-info/RECORD", "".join(f"{row},,\n" for row in rows))
    return wheel
