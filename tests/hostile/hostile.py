# ruff: noqa: T201
"""A baseline and a method that mean harm; the parameter `mode` says which."""

import csv
import json
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

stage, given, out = sys.argv[1], Path(sys.argv[3]), Path(sys.argv[5])
job = json.loads((given / "job.json").read_text())
mode = job["parameters"]["mode"]
MIB = 1 << 20


def rows(name):
    with (given / f"{name}.csv").open() as f:
        return list(csv.DictReader(f))


def predict():
    """Valid predictions that say nothing."""
    with (out / "predictions.csv").open("w") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(["epoch", "image_id", *(f"p_{c}" for c in job["classes"])])
        for row in rows("validation") + rows("test"):
            table.writerow([1, row["image_id"], *[1 / len(job["classes"])] * len(job["classes"])])


def note(**found):
    (out / "notes.json").write_text(json.dumps(found))


def works(action):
    try:
        action()
    except OSError:
        return False
    return True


def write_into(folder):
    path = Path(folder, f"by-a-stage-{os.getpid()}")
    path.write_text("x")
    path.unlink()


def read(path):
    try:
        with path.open(errors="replace") as f:
            return f.read(4 * MIB)
    except OSError:
        return ""


def labels():
    """Everything below / that names a test image together with a label."""
    ids = {row["image_id"] for row in rows("test")}
    found = []
    for top in (
        "/in",
        "/plugin",
        "/tmp",
        "/opt",
        "/home",
        "/root",
        "/mnt",
        "/var",
        "/proc/1/root/in",
    ):
        for folder, _names, files in os.walk(top):
            for path in (Path(folder, name) for name in files):
                text = read(path)
                found += [str(path) for i in ids if any(f"{i},{c}" in text for c in job["classes"])]
    predict()
    note(labels=len(found), files=" ".join(sorted(path.name for path in given.iterdir())))


def write_outside():
    places = ["/", "/in", "/plugin", "/usr", "/etc", "/var", "/root", "/home", "/proc/sys", "/sys"]
    places += ["/dev", "/sys/fs/cgroup", "/out/..", "/proc/1/root/etc"]
    predict()
    note(written=" ".join(place for place in places if works(lambda p=place: write_into(p))))


def connect():
    where = [("127.0.0.1", 22), ("192.0.2.1", 80), ("169.254.169.254", 80)]
    reached = [
        h for h in where if works(lambda h=h: socket.create_connection(h, timeout=1).close())
    ]
    sockets = ["/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock"]
    predict()
    note(reached=len(reached), sockets=sum(Path(path).exists() for path in sockets))


def fork():
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.05)


def memory():
    kept = []
    while True:
        kept.append(b"x" * (8 * MIB))


def disk():
    number = 0
    while True:
        (out / str(number)).write_bytes(b"x" * MIB)
        number += 1


def shared_memory():
    with Path("/dev/shm/x").open("wb") as f:
        while True:
            f.write(b"x" * MIB)


def ignore_term():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    time.sleep(600)


def chatter():
    while True:
        sys.stdout.write("all work and no play makes jack a dull boy\n" * 20_000)


def forged_progress():
    for _ in range(100_000):
        print("tonegap-progress 999999999 0", file=sys.stderr)
    print("tonegap-progress 5 -1\ntonegap-progress 1e9 2\ntonegap-progress")
    predict()


def forged_success():
    for name in ("stage.json", "record.json", "failure.json"):
        (out / name).write_text('{"cause": "ok", "exit_code": 0}')
    print("1 stages run, 1 runs finished, 0 failed\nok\n\x1b]0;owned\x07")


def nothing():
    print("[1/1] everything finished: 0.1 s")


def link():
    predict()
    (out / "notes.json").symlink_to("/in/job.json")


def named():
    predict()
    os.chdir(out)
    os.symlink(b"/etc/passwd", b"\x1b[31m\xff\xfe")  # noqa: PTH211 - no text, so no Path


def pipe():
    predict()
    os.mkfifo(out / "notes.json")


def deep():
    predict()
    os.chdir(out)
    for _ in range(1500):
        Path("d").mkdir()
        os.chdir("d")


class Harm:
    def __reduce__(self):
        return (os.system, ("touch /tmp/tonegap-was-here",))


def pickled():
    (out / "predictions.parquet").write_bytes(pickle.dumps(Harm()))


def pickle_beside():
    predict()
    (out / "model.pkl").write_bytes(pickle.dumps(Harm()))


def bomb():
    (out / "predictions.csv").write_bytes(b"epoch,image_id\n" + b"1," * 4_000_000)


def png(width, height):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packed = zlib.compressobj()
    line = b"\0" * (1 + (width + 7) // 8)
    data = b"".join(packed.compress(line) for _ in range(height)) + packed.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def synthetic(file="0.png", image_id="new-0", source=None, tone="I"):
    label = job["classes"][0]
    source = source or rows("train")[0]["image_id"]
    with (out / "synthetic.csv").open("w") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(["image_id", "file", "label", "tone", "prompt", "seed", "sources"])
        table.writerow([image_id, file, label, tone, "", "", source])
    (out / "images").mkdir()
    (out / "images" / "0.png").write_bytes(png(32, 32))


def escape():
    synthetic(file="../../in/train.npy")


def pixels():
    synthetic()
    (out / "images" / "0.png").write_bytes(png(30_000, 30_000))


def image_link():
    synthetic()
    (out / "images" / "0.png").unlink()
    (out / "images" / "0.png").symlink_to("/in/job.json")


def unseen_source():
    synthetic(source="d59")


def stolen_name():
    synthetic(image_id=rows("train")[0]["image_id"])


def not_an_image():
    synthetic()
    (out / "images" / "0.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")


def sleep():
    time.sleep(600)


globals()[mode]()
