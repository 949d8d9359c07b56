"""`tonegap report` as people call it."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from tonegap.cli.main import cli
from tonegap.declared.report_settings import read_settings
from tonegap.errors import BadRequest, BadSuiteFolder
from tonegap.formats.matrix import Matrix, RunId
from tonegap.formats.record import encode_record

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path, make_record, entry):
    """A store in which suite `smoke` has one finished cell of two."""
    folder = tmp_path / "runs"
    for name in ("suites", "records", "failures"):
        (folder / name).mkdir(parents=True)
    record = make_record(entry("none+erm"), 0, {"I": 0.9, "VI": 0.5})
    done = RunId(record.entry, record.task, 0, "k0", False)
    missing = RunId(record.entry, record.task, 1, "k1", False)
    (folder / "records" / "k0.json").write_bytes(encode_record(record))
    for name, cells in (("smoke", (done, missing)), ("done", (done,))):
        matrix = msgspec.json.encode(Matrix(name, f"Suite {name}", cells))
        (folder / "suites" / f"{name}.json").write_bytes(matrix)
    return folder


def report(store, *arguments, **options):
    where = ["--store", str(store), "--suite-root", str(ROOT)]
    return CliRunner().invoke(cli, ["report", *arguments, *where], **options)


def test_html_is_written_into_the_store_and_its_path_printed(store):
    result = report(store)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(store / "report" / "index.html")
    assert (store / "report" / "index.html").read_text("utf-8").startswith("<!doctype html>")


def test_html_can_go_into_one_file(store, tmp_path):
    result = report(store, "--out", str(tmp_path / "page.html"))
    assert result.stdout.strip() == str(tmp_path / "page.html")
    assert (tmp_path / "page.html").is_file()
    assert not (store / "report").exists()


def test_other_formats_go_to_the_terminal(store):
    result = report(store, "smoke", "--format", "md")
    assert result.stdout.startswith("# INCOMPLETE: 1 of 2 runs missing (1 never ran) – Suite smoke")


def test_out_names_the_file(store, tmp_path):
    result = report(store, "--format", "csv", "--out", str(tmp_path / "deep" / "table.csv"))
    assert result.stdout.strip() == str(tmp_path / "deep" / "table.csv")
    assert (tmp_path / "deep" / "table.csv").read_text().startswith("task,")


def test_parquet_goes_into_a_file_and_never_to_the_terminal(store, tmp_path):
    out = tmp_path / "lines.parquet"
    assert report(store, "--format", "parquet", "--out", str(out)).stdout.strip() == str(out)
    assert out.read_bytes().startswith(b"PAR1")
    with pytest.raises(BadRequest, match="name a file with --out"):
        report(store, "--format", "parquet", standalone_mode=False, catch_exceptions=False)


def test_strict_exits_with_one_for_an_incomplete_matrix(store):
    result = report(store, "smoke", "--strict", "--format", "json")
    assert result.exit_code == 1
    assert result.stderr == "incomplete: 1 of 2 runs missing (1 never ran)\n"


def test_strict_exits_with_zero_for_a_complete_matrix(store):
    assert report(store, "done", "--strict").exit_code == 0


def test_removing_a_record_changes_title_and_exit_code(store):
    before = report(store, "done", "--strict", "--format", "md")
    assert (before.exit_code, before.stdout.splitlines()[0]) == (0, "# Suite done")
    (store / "records" / "k0.json").unlink()
    after = report(store, "done", "--strict", "--format", "md")
    assert after.exit_code == 1
    assert after.stdout.startswith("# INCOMPLETE: 1 of 1 runs missing (1 never ran) – Suite done\n")


def test_an_unknown_suite_is_an_error(store):
    with pytest.raises(BadRequest, match="no suite 'nope'"):
        report(store, "nope", standalone_mode=False, catch_exceptions=False)


def test_importing_the_command_imports_nothing_heavy():
    code = (
        "import sys, tonegap.cli.report; "
        "sys.exit(bool({'jinja2', 'pandas', 'matplotlib', 'msgspec'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def settings_root(tmp_path, text):
    (tmp_path / "reports" / "templates").mkdir(parents=True)
    (tmp_path / "reports" / "leaderboard.toml").write_text(text, "utf-8")
    (tmp_path / "reports" / "templates" / "report.html.j2").write_text("x")
    return tmp_path


def own_settings():
    return (ROOT / "reports" / "leaderboard.toml").read_text("utf-8")


def test_the_projects_own_settings_can_be_read():
    settings = read_settings(ROOT)
    assert settings.selection == "validation"
    assert "report.html.j2" in settings.templates


def test_settings_cannot_rank_by_the_test_set(tmp_path):
    text = own_settings().replace('selection = "validation"', 'selection = "test-oracle"')
    with pytest.raises(BadSuiteFolder, match="test-oracle"):
        read_settings(settings_root(tmp_path, text))


def test_settings_with_an_unknown_metric_name_the_known_ones(tmp_path):
    text = own_settings().replace('"eom"', '"eoom"')
    with pytest.raises(BadSuiteFolder, match="unknown value 'eoom'; known metrics are accuracy"):
        read_settings(settings_root(tmp_path, text))


def test_a_folder_of_somebody_elses_files_is_left_alone(store, tmp_path):
    page = tmp_path / "pages" / "index.html"
    page.parent.mkdir()
    page.write_text("mine")
    with pytest.raises(BadRequest, match=r"found 'index.html' and no earlier report; choose a new"):
        report(store, "--out", str(page.parent), catch_exceptions=False)
    assert page.read_text() == "mine"
    assert list(page.parent.iterdir()) == [page]


def test_an_earlier_report_is_replaced(store, tmp_path):
    (tmp_path / "pages" / ".git").mkdir(parents=True)
    for _ in range(2):
        assert report(store, "--out", str(tmp_path / "pages")).exit_code == 0


def test_a_bundle_that_is_not_there_is_said_to_be_so(store, tmp_path):
    with pytest.raises(BadRequest, match=r"x\.ZIP: not there; wanted a bundle"):
        report(
            store, str(tmp_path / "x.ZIP"), "--out", str(tmp_path / "out"), catch_exceptions=False
        )


@pytest.mark.parametrize("name", ["EVIL.ZIP", "evil.dat"])
def test_a_file_of_any_suffix_is_held_to_be_a_bundle(store, tmp_path, name):
    (tmp_path / name).write_text("no archive")
    with pytest.raises(BadRequest, match=name):
        report(store, str(tmp_path / name), "--out", str(tmp_path / "out"), catch_exceptions=False)
