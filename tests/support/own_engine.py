"""Container engines for tests: the one that is here, or one of the tests' own, gone when they end.

Root starts them by hand, as a machine without systemd has to. They touch nothing of its network.
"""

import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import docker
import pytest

REQUIRED = bool(os.environ.get("TONEGAP_REQUIRE_ENGINE") or os.environ.get("CI"))
PRODUCTS = ["docker", *(["podman"] if os.environ.get("TONEGAP_TEST_PODMAN") else [])]
_NO_NETWORK = ("iptables=false", "ip6tables=false", "ip-forward=false", "ip-masq=false")
_DOCKERD = [*(f"--{option}" for option in _NO_NETWORK), "--bridge=none", "--log-level=warn"]
_PODMAN_CONF = """\
[containers]
default_ulimits = ["nofile=16384:16384","nproc=16384:16384"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_START_S = 60
DOCKERS_OWN = "unix:///var/run/docker.sock"


class OwnEngine:
    """A `dockerd` or Podman service with everything it has in one folder."""

    def __init__(self, product: str, folder: Path) -> None:
        self.product = product
        self.folder = folder
        self.host = f"unix://{folder}/engine.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._pid_file.unlink(missing_ok=True)  # of one that was killed
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._argv(),
                env={**os.environ, **self._env()},
                cwd=self.folder,  # conmon leaves a file where it stands when memory ran out
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while not answers(self.host):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    @property
    def _pid_file(self) -> Path:
        return self.folder / "pid"

    def _argv(self) -> list[str]:
        if self.product == "podman":
            roots = ["--root", f"{self.folder}/data", "--runroot", f"{self.folder}/run"]
            return ["podman", *roots, "system", "service", "--time=0", self.host]
        data = [f"--data-root={self.folder}/data", f"--exec-root={self.folder}/exec"]
        return ["dockerd", "-H", self.host, *data, f"--pidfile={self._pid_file}", *_DOCKERD]

    def _env(self) -> dict[str, str]:
        if self.product != "podman":
            return {}
        conf = self.folder / "containers.conf"
        conf.write_text(_PODMAN_CONF)
        return {"CONTAINERS_CONF": str(conf)}

    def kill(self) -> None:
        """As a crash does: its containers stay."""
        self._end(signal.SIGKILL)
        # Its own containerd follows it in its own time; a new engine must not meet it half gone.
        with suppress(FileNotFoundError, ProcessLookupError):
            pid = int((self.folder / "exec/containerd/containerd.pid").read_text())
            while True:
                os.kill(pid, signal.SIGKILL)
                time.sleep(0.05)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=60)
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            client = docker.DockerClient(base_url=self.host)
            for container in client.containers.list(all=True):
                container.remove(force=True, v=True)
            client.close()
        self._end(signal.SIGTERM)
        for pid in _processes_of(self.folder):
            os.kill(pid, signal.SIGKILL)
        for mount in reversed(_mounts_below(self.folder)):
            subprocess.run(["umount", mount], check=False, capture_output=True)
        shutil.rmtree(self.folder)


def _processes_of(folder: Path) -> list[int]:
    """What an engine that was killed left running: its files are in the command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if f"{folder}/".encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line.split()[1] for line in lines if line.split()[1].startswith(f"{folder}/")]


def answers(host: str | None = None) -> bool:
    """Whether an engine answers at a socket, or where DOCKER_HOST says."""
    host = host or os.environ.get("DOCKER_HOST", DOCKERS_OWN)
    with socket.socket(socket.AF_UNIX) as line:
        try:
            line.connect(host.removeprefix("unix://"))
            line.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in line.recv(100)
        except OSError:
            return False


def cannot(reason: str) -> None:
    """Skips, or fails where an engine is required: a skip would be a mock in disguise."""
    if REQUIRED:
        pytest.fail(f"{reason}, and an engine is required here")
    pytest.skip(reason)


@contextmanager
def own_engine(product: str) -> Iterator[OwnEngine]:
    """A fresh engine of that product, gone afterwards with all it had."""
    program = "dockerd" if product == "docker" else "podman"
    if shutil.which(program) is None or os.geteuid() != 0:
        cannot(f"{program} is not installed, or this is not root, who alone can start it")
    engine = OwnEngine(product, Path(tempfile.mkdtemp(prefix="tonegap-engine-")))
    try:
        engine.start()
        yield engine
    finally:
        engine.stop()


@contextmanager
def engine_host(product: str) -> Iterator[str]:
    """The address of an engine: for Docker the one that is here, if one is."""
    if product == "docker" and answers():
        yield os.environ.get("DOCKER_HOST", DOCKERS_OWN)
        return
    with own_engine(product) as engine:
        yield engine.host


def import_base(client: docker.DockerClient) -> str:
    """The id of a small image with this machine's own Python 3 and shell."""
    data = root_of_python()
    changes = ["ENV PATH=/usr/bin", "ENV PYTHONPATH=/opt/kit:/opt/site"]
    # A name keeps it: what has none goes with the first image built on it.
    said = client.api.import_image_from_data(data, repository=_fresh_name(), changes=changes)
    return str(docker.utils.json_stream.json.loads(said.splitlines()[-1])["status"])


def root_of_python() -> bytes:
    """A root file system with this machine's own Python 3 and shell, as an archive."""
    data = BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, target in (("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")):
            _add(archive, name, link=target)
        _add(archive, "usr/bin/python", link="python3")
        _add(archive, "etc/passwd", b"runner:x:1000:1000::/tmp:/bin/sh\n")
        for path in _files_of_python():
            archive.add(path, path.lstrip("/"), recursive=False)
    return data.getvalue()


def _fresh_name() -> str:
    return f"tonegap-test-{uuid.uuid4().hex[:8]}"


def _files_of_python() -> list[str]:
    python = os.path.realpath("/usr/bin/python3")
    version = Path(python).name
    folder = Path(f"/usr/lib/{version}")
    library = [p for p in folder.rglob("*.*") if p.is_file() and "/test/" not in str(p)]
    programs = [python, "/usr/bin/sh", "/usr/bin/dash", "/usr/bin/python3"]
    loaded = [*programs, *(str(p) for p in library if p.suffix == ".so")]
    said = subprocess.run(["ldd", *loaded], capture_output=True, text=True, check=False).stdout
    found = {word for word in said.split() if word.startswith("/") and not word.endswith(":")}
    shared = {name for path in found for name in _with_links(path)}
    return [*programs, *(str(path) for path in library), *sorted(shared)]


def _with_links(path: str) -> list[str]:
    """A library under the name it is loaded by and those its links lead to, below /usr."""
    path = path if path.startswith("/usr/") else f"/usr{path}"
    target = os.path.realpath(path)
    return [path] if target == path else [path, target]


def _add(
    archive: tarfile.TarFile, name: str, content: bytes = b"", link: str = "", mode: int = 0o644
) -> None:
    member = tarfile.TarInfo(name)
    member.mode = mode
    member.size = len(content)
    if link:
        member.type, member.linkname = tarfile.SYMTYPE, link
    archive.addfile(member, BytesIO(content))


def build(
    client: docker.DockerClient, base: str, files: Mapping[str, bytes], more: str = ""
) -> str:
    """The id of an image with these files under /plugin, and more lines in its Dockerfile."""
    dockerfile = f"FROM {base}\nCOPY plugin /plugin\nWORKDIR /plugin\n{more}"
    context = BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        _add(archive, "Dockerfile", dockerfile.encode())
        for name, content in files.items():
            _add(archive, f"plugin/{name}", content)
    context.seek(0)
    image, _log = client.images.build(
        fileobj=context,
        custom_context=True,
        tag=_fresh_name(),  # or it would go when another on the same layers goes
        network_mode="none",
        rm=True,
        forcerm=True,
    )
    return str(image.id)


def forget(client: docker.DockerClient, image: str) -> None:
    """Removes an image."""
    with suppress(docker.errors.NotFound):
        client.images.remove(image, force=True)
