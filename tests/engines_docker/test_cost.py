"""What a container costs, and what many of them leave behind."""

import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from engine_fixtures import containers
from one_stage import Work

pytestmark = [pytest.mark.container, pytest.mark.slow]


def seconds_of(action):
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def test_a_container_costs_less_than_a_second_over_the_process_itself(engine, product, tmp_path):
    stage = Path(__file__).with_name("stage.py")
    (tmp_path / "out").mkdir()
    words = ["ok", "train", "--in", str(tmp_path), "--out", str(tmp_path / "out")]
    works = [Work(tmp_path / "work" / f"cost.{i}") for i in range(10)]
    assert engine.run(works[0].spec("ok")).cause == "ok"
    inside = [seconds_of(lambda work=work: engine.run(work.spec("ok"))) for work in works]
    plain = [
        seconds_of(lambda: subprocess.run([sys.executable, stage, *words], check=True))
        for _ in works
    ]
    over = statistics.median(inside) - statistics.median(plain)
    sys.stderr.write(f"a container costs {over:.2f} s over a process\n")
    assert over < (1.0 if product == "docker" else 3.0)


def test_fifty_stages_leave_no_container_no_mount_and_no_stray_file(engine, client, tmp_path):
    works = [Work(tmp_path / "work" / f"many.{i}") for i in range(50)]
    with ThreadPoolExecutor(2) as pool:
        causes = [result.cause for result in pool.map(lambda w: engine.run(w.spec("ok")), works)]
    assert causes == ["ok"] * 50
    assert containers(client) == []
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
    for work in works:
        left = {path.relative_to(work.folder).as_posix() for path in work.folder.rglob("*")}
        assert left == {"in", "in/job.json", "out", "out/made.txt", "tmp", "log.txt"}
