"""One command in a container, and what it says: for what an engine has to be asked from inside."""

import os
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import docker
from docker.errors import APIError
from docker.types import Mount

from tonegap.engines.docker.daemon import BUILD_TIMEOUT_S, UNREACHABLE
from tonegap.errors import EngineError
from tonegap.formats.image_lock import SITE

_SHELL = "/bin/sh"


def container_says(
    client: docker.DockerClient,
    image_id: str,
    command: Sequence[str],
    mounts: Sequence[Mount] = (),
    user: str = "1000:1000",
    working_dir: str | None = None,
) -> str:
    """What a command in a container of an image prints, without network and on a read-only root.

    Raises EngineError with the last line of what was said on the other channel where it fails.
    """
    try:
        container = client.containers.create(
            image_id, list(command), network_mode="none", read_only=True, mounts=list(mounts),
            entrypoint=[], cap_drop=["ALL"], security_opt=["no-new-privileges"], user=user,
            environment={"HOME": "/tmp", "PYTHONHASHSEED": "0"}, working_dir=working_dir,
            tmpfs={"/tmp": "size=64m"}, labels={"tonegap.role": "look"},
        )  # fmt: skip
    except APIError as e:
        raise EngineError(f"{image_id}: no container can be made of it: {e.explanation}") from None
    except UNREACHABLE as e:
        raise EngineError(f"{image_id}: no container can be made of it: {e}") from None
    try:
        container.start()
        code = container.wait(timeout=BUILD_TIMEOUT_S)["StatusCode"]
        said: bytes = container.logs(stdout=True, stderr=False)
        complaint = container.logs(stdout=False, stderr=True).decode(errors="replace").strip()
    except UNREACHABLE as e:
        raise EngineError(f"{image_id}: cannot be looked into: {e}") from None
    finally:
        with suppress(*UNREACHABLE):
            container.remove(force=True, v=True)
    if code:
        raise EngineError(f"inside the image: {next(reversed(complaint.splitlines()), code)}")
    return said.decode(errors="replace")


def check_sees(
    client: docker.DockerClient, image_id: str, store: Path, bound: Path | None, user: str
) -> None:
    """Reads a random word back through a container of an image, from a folder of the store (and from `bound`).

    Raises EngineError where the engine does not see this machine's folders: it runs on another one, in a
    virtual machine without them, or may not read them. An image without a shell tells nothing.
    """
    word = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix=".seen-", dir=store) as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "word").write_text(word + "\n", encoding="ascii")
        mounts = [Mount("/in", str(folder.resolve()), type="bind", read_only=True)]
        if bound is not None:
            mounts.append(Mount(SITE, str(bound), type="bind", read_only=True))
        command = [_SHELL, "-c", 'read -r word </in/word && echo "$word"']
        try:
            said = container_says(client, image_id, command, mounts, user=user).strip()
            why = f"found {said[:40]!r} in it, wanted what was written there"
        except EngineError as e:
            said, why = "", str(e)
    if said != word and f'"{_SHELL}": ' not in why:
        where = os.environ.get("DOCKER_HOST", "Docker's own socket")
        raise EngineError(
            f"the container engine at {where} does not see this machine's folder {store} ({why}); "
            "it has to run on this machine, or to share the folder; or use --engine local"
        )
