"""Runs a suite of a temporary suite root in containers, here or as a program of its own.

    python container_run.py ROOT STORE SUITE IMAGES JOBS

IMAGES is JSON: the image id of each plug-in with stages. Prints the tally as JSON.
"""

import json
import sys
from pathlib import Path

import docker
from own_engine import build

from tonegap.declared.plugin import Plugin
from tonegap.declared.suite import read_suite
from tonegap.engines.base import Environment
from tonegap.engines.docker.engine import DockerEngine
from tonegap.engines.images.resolve import StageImage
from tonegap.plan.prepare import Request, prepare
from tonegap.run.progress import PlainProgress
from tonegap.run.runner import RunTally, run_plan
from tonegap.run.stages import Workplace
from tonegap.store.store import Store


def build_images(client: docker.DockerClient, base: str, root: Path) -> dict[str, str]:
    """The image of every plug-in that has a Dockerfile and code, by label."""
    images = {}
    for folder in sorted([*root.glob("methods/*"), *root.glob("baselines/*")]):
        code = {path.name: path.read_bytes() for path in folder.glob("*.py")}
        if code:
            images[f"{folder.parent.name}/{folder.name}"] = build(client, base, code)
    return images


def docker_engine(images: dict[str, str]) -> DockerEngine:
    """The engine, with images that no lock names."""

    def image_of(plugin: Plugin) -> StageImage:
        image = images[plugin.label]
        return StageImage(plugin.label, image, Environment(f"image {plugin.label}", {}), None)

    return DockerEngine(image_of)


def run_suite(root: Path, store: Path, suite: str, images: dict[str, str], jobs: int) -> RunTally:
    """What one run of the suite did."""
    request = Request(
        root=root,
        suite=read_suite(root, suite),
        store=Store(store),
        engine=docker_engine(images),
        roots={},
        device="cpu",
        jobs=jobs,
        allow_missing=False,
    )
    plan = prepare(request)
    request.store.write_matrix(plan.matrix)
    place = Workplace(
        store=request.store,
        engine=request.engine,
        limits=request.suite.file.limits,
        jobs=jobs,
        gpus=(),
        progress=PlainProgress(sys.stderr),
    )
    return run_plan(plan, place)


def main() -> None:
    root, store, suite, images, jobs = sys.argv[1:]
    tally = run_suite(Path(root), Path(store), suite, json.loads(images), int(jobs))
    causes = [failure.cause for failure in tally.failures]
    sys.stdout.write(json.dumps({"stages": tally.n_stages, "failed": causes}))


if __name__ == "__main__":
    main()
