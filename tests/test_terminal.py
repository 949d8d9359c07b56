"""What is printed for people is one printable line each, whoever chose the words."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tonegap.cli import terminal
from tonegap.cli.main import main
from tonegap.lines import one_line

ESCAPED = {
    "\x1b[2J": r"\x1b[2J",
    "a\nb\r\tc": r"a\nb\r\tc",
    "\u202eabc\u2066": r"\u202eabc\u2066",
    "\u2028": r"\u2028",
    "\x9b1m": r"\x9b1m",
    "\udcff": r"\udcff",
    "\U000e0041": r"\U000e0041",
}
PLAIN = ["skin tone V–VI: 61.2 % ± 0.3", "Ärger, 皮肤, … “x”", r"a\b", ""]


@pytest.mark.parametrize("text", ESCAPED)
def test_what_moves_a_cursor_or_turns_a_line_is_escaped(text, capsys):
    terminal.say(text)
    assert capsys.readouterr().out == ESCAPED[text] + "\n"
    assert one_line(one_line(text)) == one_line(text)


@pytest.mark.parametrize("text", PLAIN)
def test_what_people_write_stays_as_it_is(text):
    assert one_line(text) == text


def test_a_page_keeps_its_lines_and_nothing_else(capsys):
    terminal.say_page("a\x1b\nb\r\n", err=True)
    assert capsys.readouterr().err == "a\\x1b\nb\\r\n\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_document_is_escaped_on_a_terminal_alone(monkeypatch, capsys):
    terminal.put("a\x1b,b\n")
    assert capsys.readouterr().out == "a\x1b,b\n"
    there = Terminal()
    monkeypatch.setattr(sys, "stdout", there)
    terminal.put("a\x1b,b\n")
    assert there.getvalue() == "a\\x1b,b\n"


def test_an_error_about_a_name_is_escaped(tmp_path, capsys):
    path = tmp_path / "\x1b[2Jverified.zip"
    path.write_bytes(b"")
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(path)])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "\\x1b[2Jverified.zip" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["rnu"], "no command 'rnu' (did you mean 'run'?)"),
        (["run", "smok"], "no suite 'smok' (did you mean 'smoke'?)"),
        (["run", "--method", "tone-shfit"], "no method 'tone-shfit' (did you mean 'tone-shift'?)"),
        (["split", "ddi/fairdsco"], "no task 'ddi/fairdsco' (did you mean 'ddi/fairdisco'?)"),
        (["list", "method"], "(did you mean 'methods'?)"),
        (["data", "show", "dii"], "no data set 'dii' (did you mean 'ddi'?)"),
        (["plan", "--set", "baselines.epoch=2"], "a parameter 'epoch' (did you mean 'epochs'?)"),
        (["image", "bild"], "no command 'bild' (did you mean 'build'?); `tonegap image --help`"),
        (["assets", "chek"], "no command 'chek' (did you mean 'check'?)"),
        (
            ["plan", "--set", "baseline.epochs=2"],
            "LABEL is methods, baselines, extractors, postproc",
        ),
        (
            ["plan", "--set", "baselines/er.epochs=2"],
            "no plug-in of this suite (did you mean 'basel",
        ),
    ],
)
def test_a_name_that_is_not_there_is_met_with_the_near_one(typed, said, capsys, tmp_path):
    store = ["--store", str(tmp_path)] if typed[0] in ("run", "plan") else []
    with pytest.raises(SystemExit) as ended:
        main([*typed, *store])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["run", "smo"], "smoke"),
        (["split", "pad-ufes-20-sample/m"], "pad-ufes-20-sample/malignant"),
        (["run", "--method", "tone-"], "tone-shift"),
        (["paper", "fairdi"], "fairdisco"),
    ],
)
def test_a_shell_completes_names(words, found):
    from click.shell_completion import ShellComplete

    from tonegap.cli.main import cli

    completer = ShellComplete(cli, {}, "tonegap", "_TONEGAP_COMPLETE")
    assert found in [item.value for item in completer.get_completions(words[:-1], words[-1])]


def test_doctor_tells_programs_numbers_not_sentences(capsys):
    with pytest.raises(SystemExit):
        main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["memory_bytes"] > 1 << 28
    assert isinstance(found["cores"], int)
    assert set(found["engines"]) == {"local", "docker", "apptainer"}
    assert set(found["engines"]["local"]["versions"]) >= {"numpy", "torch"}
    assert found["mmdebstrap"] == (shutil.which("mmdebstrap") is not None)
    assert found["slurm"]["ready"] or found["slurm"]["reason"]


@pytest.mark.linux
def test_a_full_disk_behind_standard_output_is_one_sentence():
    program = "import sys; from tonegap.cli.main import main; main(['list', 'tasks'])"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert done.stderr == (b"error: what was to be written has no place: No space left on device\n")


@pytest.mark.parametrize(
    "words", [["no-such-suite", "--progress", "json"], ["--progress=json", "--subset", "x"]]
)
def test_every_line_for_people_is_a_note_where_progress_is_json(capsys, words):
    with pytest.raises(SystemExit) as ended:
        main(["run", *words])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["text"][:6]) == ("note", "error:")


def test_a_near_paper_data_set_and_the_quoted_folder_are_named(tmp_path, capsys):
    for words, near in (
        (["paper", "fairdisko"], "did you mean 'fairdisco'?"),
        (["data", "check", "fitz"], "did you mean 'fitzpatrick17k'?"),
    ):
        with pytest.raises(SystemExit):
            main(words)
        assert near in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["init", str(tmp_path / "od d/x")])
    assert f"cd '{tmp_path}/od d/x' && tonegap check" in capsys.readouterr().err
