"""A pipe, a socket or a device where a file is wanted: one sentence at once, never a wait."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tonegap.data.decode import BadPicture, read_bytes
from tonegap.data.metadata import parse_metadata
from tonegap.declared.dataset import read_dataset
from tonegap.declared.root import find_root
from tonegap.errors import BadData, BadOutput, BadPredictions, BadSuiteFolder, ToneGapError
from tonegap.files import sha256_file
from tonegap.scores.reading import read_table
from tonegap.split.id_lists import read_id_list
from tonegap.synthetic.manifest import read_synthetic
from tonegap.texts import read_text


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """A pipe that nobody writes to; who waits for it is stopped after 20 s."""
    os.mkfifo(tmp_path / "synthetic.csv")
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("waited for a pipe"))
    signal.alarm(20)
    yield tmp_path / "synthetic.csv"
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _phantom():
    return read_dataset(find_root(None), "phantom")


@pytest.mark.parametrize(
    ("error", "read"),
    [
        (BadPicture, read_bytes),
        (BadData, lambda path: parse_metadata(_phantom(), path)),
        (BadData, lambda path: read_id_list(path, _phantom())),
        (BadSuiteFolder, lambda path: read_text(path, BadSuiteFolder)),
        (BadPredictions, read_table),
        (BadOutput, lambda path: read_synthetic(path.parent)),
    ],
    ids=["picture", "metadata", "list of ids", "TOML or text", "predictions", "manifest"],
)
def test_a_pipe_is_refused_and_not_waited_for(
    error: type[ToneGapError], read: Callable[[Path], object], pipe: Path
) -> None:
    with pytest.raises(error, match="it is a pipe, wanted a file"):
        read(pipe)


def test_a_device_and_a_socket_are_called_what_they_are(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(OSError, match="it is a device, wanted a file"):
        sha256_file(Path("/dev/zero"))
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as here:
        here.bind("s")
        with pytest.raises(
            BadSuiteFolder, match="s: cannot be read: it is a socket, wanted a file"
        ):
            read_text(Path("s"), BadSuiteFolder)
