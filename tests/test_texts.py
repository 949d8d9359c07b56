"""Text files of others, and terminals of others."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tonegap.cli.paper import _entered
from tonegap.declared.dataset import DatasetFile
from tonegap.declared.toml import read_toml
from tonegap.errors import BadData, BadRequest, BadSuiteFolder
from tonegap.synthetic.external_set import read_set
from tonegap.texts import decode_text, escape_what_cannot_be_shown, read_text

MARKED = ("utf-8-sig", "utf-16", "utf-16-le-with-mark", "utf-32")


def encoded(text: str, encoding: str) -> bytes:
    if encoding == "utf-16-le-with-mark":
        return b"\xff\xfe" + text.encode("utf-16-le")
    return text.encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", *MARKED])
def test_a_mark_says_the_encoding_and_is_no_text(encoding: str) -> None:
    assert decode_text(encoded("größe,1\n", encoding), "x", BadData) == "größe,1\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("größe".encode("cp1252"), "byte 2 is not UTF-8; save it with UTF-8 encoding"),
        ("table".encode("utf-16-le"), "holds NUL, as UTF-16 without its mark does"),
        (b"\xff\xfea", "byte 2 is not UTF-16"),
    ],
)
def test_any_other_encoding_is_one_sentence(content: bytes, words: str) -> None:
    with pytest.raises(BadSuiteFolder, match=words):
        decode_text(content, "x", BadSuiteFolder)


def test_a_sparse_text_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "x.toml").open("wb") as f:
        f.truncate(1 << 30)
    with pytest.raises(BadSuiteFolder, match="1,073,741,824 bytes; at most 256 MiB are read"):
        read_text(tmp_path / "x.toml", BadSuiteFolder)


@pytest.mark.parametrize("encoding", MARKED)
def test_toml_with_a_mark_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "dataset.toml"
    text = (
        'title = "T"\nsource = "s"\nlicence = "l"\naccess = "a"\nmetadata = ["m.csv"]\n'
        'id_column = "i"\nlabel_column = "i"\nfile_names = ["{i}.png"]\n[columns]\ni = {}\n[tones]\n'
    )
    path.write_bytes(encoded(text, encoding))
    assert read_toml(path, DatasetFile).title == "T"


@pytest.mark.parametrize("encoding", ["utf-8", *MARKED])
def test_a_manifest_with_a_mark_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "synthetic.csv").write_bytes(encoded("file,sources\na.png,x y\n", encoding))
    (row,) = read_set(tmp_path, None).rows
    assert row.sources == ("x", "y")


class TestReported:
    HEADER = "table,row,column,reported\r\n"

    @pytest.mark.parametrize("encoding", ["utf-8", *MARKED])
    def test_is_read_in_any_marked_encoding(self, tmp_path: Path, encoding: str) -> None:
        (tmp_path / "p.csv").write_bytes(encoded(self.HEADER + "t,r,c,61.2\r\n", encoding))
        assert _entered(tmp_path / "p.csv") == {("t", "r", "c"): "61.2"}

    def test_the_older_header_is_read_too(self, tmp_path: Path) -> None:
        (tmp_path / "p.csv").write_text("table,row,column,printed\nt,r,c,61.2\n")
        assert _entered(tmp_path / "p.csv") == {("t", "r", "c"): "61.2"}

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (HEADER + "t,r,c", r"line 2: wanted 4 cells"),
            (HEADER + "t,r,c,1.0,x", r"line 2: wanted 4 cells"),
            (HEADER + '\r\nt,r,c,1.0\r\nt,"r,c,1', "cannot be read as CSV"),
            ("table,row\r\n", "found columns table,row, wanted table,row,column,reported"),
            ("", "found columns none"),
            (HEADER + "tä,r,c,1.0", "is not UTF-8"),
        ],
    )
    def test_anything_else_is_one_sentence(self, tmp_path: Path, content: str, words: str) -> None:
        (tmp_path / "p.csv").write_bytes(content.encode("cp1252"))
        with pytest.raises(BadRequest, match=words):
            _entered(tmp_path / "p.csv")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_terminal_shows_an_escape_for_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    text = "é ≈ – \U0001f600 \udcff"
    escape_what_cannot_be_shown()
    stream.write(json.dumps(text, ensure_ascii=False))
    stream.flush()
    written = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert json.loads(written) == text  # escapes of JSON: nothing is lost
    assert ("≈" in written) == (encoding == "utf-8")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("words", [("paper", "skin-diff-2024"), ("data", "show", "ddi")])
def test_commands_end_well_on_any_terminal(encoding: str, words: tuple[str, ...]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tonegap", *words],
        env={"PYTHONIOENCODING": encoding, "PATH": ""},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    ended.stdout.decode(encoding)
