"""A small suite root with the real docker/ folder, and a container engine where a test needs one."""

import os
import shutil
import subprocess

import pytest
from images_root import PROJECT, make_environment, make_root
from own_engine import REQUIRED, answers, cannot


@pytest.fixture
def root(tmp_path):
    return make_root(tmp_path / "root")


@pytest.fixture
def environment(tmp_path):
    return make_environment(tmp_path / "site-packages")


@pytest.fixture(scope="session")
def engine():
    """An engine in DOCKER_HOST: the one that is here, or one that docker/engine.sh starts."""
    if answers():
        yield
        return
    if not REQUIRED and (shutil.which("dockerd") is None or shutil.which("mmdebstrap") is None):
        cannot("no engine answers, and docker.io and mmdebstrap are not installed")
    if os.geteuid() != 0:
        cannot("no engine answers, and only root can start one")
    script = f'source "{PROJECT}/docker/engine.sh" && echo "$DOCKER_HOST" && cat'
    shell = subprocess.Popen(
        ["bash", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        host = shell.stdout.readline().strip()
        if not host:
            cannot("docker/engine.sh started no engine")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DOCKER_HOST", host)
            yield
    finally:
        shell.stdin.close()
        shell.wait(timeout=60)
        shell.stdout.close()
