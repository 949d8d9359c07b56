"""Bundles as one leaderboard: a site of those that verify, and pages for whoever has nothing but a bundle."""

import json
import zipfile
from pathlib import Path

import pytest
from tests.results.bundle.conftest import root, store
from tests.results.bundle.foreign_bundles import write_zip

from tonegap.cli.main import main
from tonegap.files import sha256_file
from tonegap.results.bundle.pack import pack_suite

__all__ = ["root", "store"]

PROJECT = Path(__file__).parents[3]


def say(capsys, *words):
    """Exit code, standard output and standard error of a command on the project's root."""
    with pytest.raises(SystemExit) as ended:
        main([*map(str, words), "--suite-root", str(PROJECT)])
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


@pytest.fixture
def bundles(root, store, tmp_path):
    """A folder with a bundle of one finished run, and the same with a number changed."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    pack_suite(root, store.folder, "tiny", folder / "lab-a.tonegap.zip", allow_incomplete=True)
    with zipfile.ZipFile(folder / "lab-a.tonegap.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    record = next(name for name in files if name.startswith("records/"))
    files[record] = files[record].replace(b'"epoch":', b'"epoch": ', 1)
    write_zip(folder / "lab-b.zip", files)
    return folder


def test_a_board_has_the_bundles_that_verify_and_names_the_others(bundles, tmp_path, capsys):
    out = tmp_path / "site"
    code, said, err = say(capsys, "board", bundles, "--out", out, "--title", "Two labs")
    assert code == 1
    assert said.strip() == str(out / "index.html")
    assert f"not on the board: {bundles / 'lab-b.zip'}: does not verify: records/" in err
    assert "1 bundle, 1 record, 1 not on the board" in err
    assert "Two labs" in (out / "index.html").read_text()
    listing = json.loads((out / "bundles/bundles.json").read_text())
    (row,) = listing["bundles"]
    assert row["file"] == "lab-a.tonegap.zip"
    assert (row["records"], row["complete"]) == (1, False)
    assert row["sha256"] == sha256_file(out / "bundles/lab-a.tonegap.zip")
    page = (out / "bundles/index.html").read_text()
    assert row["sha256"] in page
    assert "lab-b" not in page


def test_the_same_bundles_give_the_same_site(bundles, tmp_path, capsys):
    sites = [tmp_path / name for name in ("one", "two")]
    for out in sites:
        say(capsys, "board", bundles / "lab-a.tonegap.zip", "--out", out)
    one, two = (
        {p.relative_to(out): sha256_file(p) for p in sorted(out.rglob("*")) if p.is_file()}
        for out in sites
    )
    assert one == two


def test_a_bundle_twice_is_one_entry(bundles, tmp_path, capsys):
    (bundles / "lab-b.zip").write_bytes((bundles / "lab-a.tonegap.zip").read_bytes())
    code, _, err = say(capsys, "board", bundles, "--out", tmp_path / "site")
    assert code == 0
    assert "2 bundles, 2 records, 0 not on the board" in err
    table = json.loads((tmp_path / "site/leaderboard.json").read_text())["tables"][0]
    assert len(table["rows"]) + len(table["controls"]) == 2  # the finished entry and the failed one


def test_a_reviewer_sees_the_pages_of_a_bundle_alone(bundles, tmp_path, capsys):
    bundle = bundles / "lab-a.tonegap.zip"
    code, said, _ = say(capsys, "report", bundle, "--out", tmp_path / "pages")
    assert (code, said.strip()) == (0, str(tmp_path / "pages/index.html"))
    code, said, _ = say(capsys, "report", bundle, "--format", "md")
    assert "A tiny suite" in said
    code, _, err = say(capsys, "report", bundles / "lab-b.zip", "--out", tmp_path / "no")
    assert code == 2
    assert "does not verify" in err
    code, _, err = say(capsys, "report", bundle)
    assert (code, "needs --out DIR" in err) == (2, True)


def test_a_folder_without_a_bundle_is_refused(tmp_path, capsys):
    code, _, err = say(capsys, "board", tmp_path, "--out", tmp_path / "site")
    assert (code, "no bundle (*.zip) there" in err) == (2, True)
