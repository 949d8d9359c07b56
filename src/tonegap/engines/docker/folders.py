"""Lends a stage its folders, and takes them back: whose they are while a container has them.

The mistake it exists to prevent: results that another stage's user could still change, or that
the person who started the run cannot read.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from tonegap.errors import EngineError
from tonegap.untrusted import walk

STAGE_ID = 1000  # of the user `runner` in the base images


@dataclass(frozen=True, slots=True)
class User:
    """Who a stage runs as, inside the container."""

    uid: int
    gid: int

    @property
    def spelled(self) -> str:
        """As the engine wants it: `1000:1000`."""
        return f"{self.uid}:{self.gid}"


def stage_user(rootless: bool) -> User:
    """The user of a stage: never root of this machine.

    A run by root lends its folders to user 1000; anybody else's stages run as themselves, which a
    rootless engine calls 0.
    """
    if rootless:
        return User(0, 0)
    return User(STAGE_ID, STAGE_ID) if os.geteuid() == 0 else User(os.geteuid(), os.getegid())


def lend(in_dir: Path, out_dir: Path, user: User) -> None:
    """Makes `/in` readable and `/out` writable for the user of a stage.

    Raises EngineError for a file of `/in` that this user could not read.
    """
    if os.geteuid() != 0 or user.uid == 0:
        return
    in_dir.chmod(0o755)
    for path, status in walk(in_dir):
        if stat.S_ISDIR(status.st_mode):
            path.chmod(status.st_mode | 0o555)
        elif not status.st_mode & 0o004:
            raise EngineError(
                f"/in/{path.relative_to(in_dir).as_posix()}: cannot be read by user {user.uid}, as "
                "which stages run; allow others to read the file it comes from (chmod o+r)"
            )
    os.chown(out_dir, user.uid, user.gid)
    for path, _status in walk(out_dir):  # checkpoints of an earlier try
        os.lchown(path, user.uid, user.gid)


def take_back(out_dir: Path) -> None:
    """Gives all that a stage left to the caller, readable, and writable for nobody else.

    Links are left as they are: they are refused later. Raises BadOutput for folders nested too deep.
    """
    out_dir.chmod(0o755)
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        os.chown(out_dir, uid, gid)
    for path, status in walk(out_dir):
        if uid == 0:
            os.lchown(path, uid, gid)
        if stat.S_ISDIR(status.st_mode):
            path.chmod(0o755)
        elif stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
            path.chmod(0o755 if status.st_mode & 0o100 else 0o644)
