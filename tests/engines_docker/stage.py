# ruff: noqa: T201
"""A stage with one behaviour a mode: `python stage.py MODE STAGE --in DIR --out DIR`."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

mode, out = sys.argv[1], Path(sys.argv[6])
MIB = 1 << 20


def allocate(step_mib=8, pause=0.0):
    kept = []
    while True:
        kept.append(b"x" * (step_mib * MIB))
        time.sleep(pause)


def refused(action):
    try:
        action()
    except OSError as e:
        return type(e).__name__ + ": " + (e.strerror or str(e))
    return ""


def status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(name + ":"))


def limit(*paths):
    for path in paths:
        if Path("/sys/fs/cgroup", path).exists():
            return Path("/sys/fs/cgroup", path).read_text().strip()
    return ""


def connect():
    with socket.create_connection(("192.0.2.1", 80), timeout=2):
        pass


if mode == "ok":
    (out / "made.txt").write_text("made")
    print("a word")
elif mode == "error":
    print("no such \x1b[31mthing", file=sys.stderr)
    sys.exit(3)
elif mode == "crash":
    os.abort()
elif mode == "exit-137":
    sys.exit(137)
elif mode == "sleep":
    (out / "pid").write_text(str(os.getpid()))
    time.sleep(600)
elif mode == "leave-a-child":
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
elif mode == "ignore-term":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("not listening")
    time.sleep(600)
elif mode == "oom":
    allocate()
elif mode == "oom-slowly":
    allocate(2, 0.1)
elif mode == "oom-child":
    pid = os.fork()
    if pid == 0:
        allocate()
    os.waitpid(pid, 0)
    print("a worker died")
    sys.exit(3)
elif mode == "quota":
    for i in range(1000):
        (out / str(i)).write_bytes(b"x" * MIB)
        time.sleep(0.02)
elif mode == "deleted":
    kept = []
    for _ in range(200):
        kept.append((out / "hidden").open("wb"))
        kept[-1].write(b"x" * MIB)
        (out / "hidden").unlink()
        time.sleep(0.02)
elif mode == "flood":
    block = b"all work and no play makes jack a dull boy\n" * 20_000
    for _ in range((1 << 30) // len(block)):
        sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()
    print("the end")
elif mode == "progress":
    for i in range(3):
        print(f"tonegap-progress {i + 1} 3", file=sys.stderr)
    print("said tonegap-progress 9 9")
elif mode == "modes":
    (out / "model").mkdir()
    (out / "model" / "weights").write_bytes(b"w")
    (out / "model" / "weights").chmod(0o4700)
    (out / "model").chmod(0o000)
elif mode == "look":
    seen = {
        "uid": [os.getuid(), os.getgid()],
        "capabilities": status("CapEff") + status("CapBnd"),
        "no new privileges": status("NoNewPrivs"),
        "seccomp": status("Seccomp"),
        "memory": limit("memory/memory.limit_in_bytes", "memory.max"),
        "swap": limit("memory/memory.memsw.limit_in_bytes", "memory.swap.max"),
        "processes": limit("pids/pids.max", "pids.max"),
        "processors": limit("cpu/cpu.cfs_quota_us", "cpu.max"),
        "root": refused(lambda: Path("/x").write_text("x")),
        "in": refused(lambda: Path("/in/x").write_text("x")),
        "plugin": refused(lambda: Path("/plugin/x").write_text("x")),
        "connect": refused(connect),
        "link of in": refused(lambda: os.link("/in/job.json", out / "job")),
        "environment": dict(os.environ),
        "folder": str(Path.cwd()),
        "arguments": sys.argv[1:],
        "tmp": os.statvfs("/tmp").f_frsize * os.statvfs("/tmp").f_blocks,
        "shm": os.statvfs("/dev/shm").f_frsize * os.statvfs("/dev/shm").f_blocks,
        "init": Path("/proc/1/comm").read_text().strip(),
        "writable": [
            row.split()[1]
            for row in Path("/proc/mounts").read_text().splitlines()
            if Path(row.split()[1]).is_dir() and os.access(row.split()[1], os.W_OK)
        ],
    }
    (out / "seen.json").write_text(json.dumps(seen))
