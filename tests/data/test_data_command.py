"""The command line of `tonegap data`, run as people run it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tonegap.cli.main import main
from tonegap.declared.dataset import Dataset

Write = Callable[..., None]


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def tonegap(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, project: Path
) -> Callable[..., Ran]:
    def run(*arguments: str | Path, store: bool = False) -> Ran:
        more = ["--store", tmp_path / "store"] if store else []
        with pytest.raises(SystemExit) as caught:
            main([str(a) for a in (*arguments, *more, "--suite-root", project)])
        said = capsys.readouterr()
        return Ran(int(caught.value.code or 0), said.out, said.err)

    return run


def test_a_users_own_folder_is_checked_like_any_data_set(
    tonegap: Callable[..., Ran], clinic: Dataset, write_pictures: Write
) -> None:
    write_pictures(clinic.folder / "photos", ["a1.png", "a2.png", "a3.png", "a4.png"])
    ran = tonegap("data", "check", clinic.folder, "--json", store=True)
    listing = json.loads(ran.out)
    assert ran.code == 0
    assert listing["images"]["usable"] == 4
    assert listing["tones"][0] == {
        "axis": "nurse",
        "tone": "I",
        "expected": 2,
        "usable": 2,
        "share": 1.0,
        "findings": {},
    }


def test_an_absent_download_says_licence_and_access(
    tonegap: Callable[..., Ran], tmp_path: Path
) -> None:
    for arguments in (("ddi",), ("ddi", "--root", tmp_path)):
        ran = tonegap("data", "check", *arguments)
        assert ran.code == 2
        assert "Licence: Research Use Agreement" in ran.err
        assert "Access: register in person" in ran.err


def test_a_task_that_cannot_be_run_gives_exit_code_2(
    tonegap: Callable[..., Ran],
    tmp_path: Path,
    ddi_rows: Callable[..., list[str]],
    write_pictures: Write,
) -> None:
    (tmp_path / "ddi").mkdir()
    (tmp_path / "ddi" / "ddi_metadata.csv").write_text("\n".join(ddi_rows()) + "\n")
    write_pictures(tmp_path / "ddi" / "images", ["000001.png"])
    ran = tonegap(
        "data", "check", "ddi", "--root", tmp_path / "ddi", "--task", "fairdisco", store=True
    )
    assert ran.code == 2
    assert "ddi/fairdisco: cannot be run: 655 of the 656 images it uses are missing" in ran.out
    assert "patchalign" not in ran.out


def test_stand_ins_of_a_whole_data_set_can_be_checked(
    tonegap: Callable[..., Ran], tmp_path: Path, ddi_rows: Callable[..., list[str]]
) -> None:
    like, out = tmp_path / "like.csv", tmp_path / "out"
    like.write_text("\n".join(ddi_rows()) + "\n")
    drew = tonegap(
        "data", "phantom", "--like", like, "--out", out, "--size", "16", "--workers", "1"
    )
    assert (drew.code, drew.out) == (0, f"tonegap data check ddi --root {out}\n")
    ran = tonegap("data", "check", "ddi", "--root", out, "--workers", "1", store=True)
    assert ran.code == 0
    assert "STAND-IN" in ran.out
    assert "  skin_tone: as published (12 208, 34 241, 56 207)" in ran.out.splitlines()


def test_a_plain_set_is_drawn_by_number(tonegap: Callable[..., Ran], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert tonegap("data", "phantom", "--n", "20", "--out", out, "--size", "16").code == 0
    assert len(list((out / "images").glob("*.png"))) == 20


@pytest.mark.parametrize("arguments", [(), ("--n", "5", "--like", "x.csv")])
def test_phantom_wants_either_rows_or_a_number(
    tonegap: Callable[..., Ran], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    ran = tonegap("data", "phantom", *arguments, "--out", tmp_path / "out")
    assert ran.code == 2
    assert ran.err == "error: tonegap data phantom: pass either --like CSV or --n COUNT\n"


def test_the_card_shows_published_counts_without_a_copy(tonegap: Callable[..., Ran]) -> None:
    ran = tonegap("data", "show", "fitzpatrick17k")
    assert ran.code == 0
    assert "16,577 images as published" in ran.out
    assert "CC BY-NC-SA 3.0" in ran.out
    assert "  url: https://arxiv.org/abs/2104.09957\n" in ran.out


def test_the_card_of_a_copy_counts_tones_and_labels(
    tonegap: Callable[..., Ran], clinic: Dataset
) -> None:
    card = json.loads(tonegap("data", "show", clinic.folder, "--json").out)
    assert card["tones"] == {"nurse": {"I": 2, "VI": 1, "unknown": 1}}
    assert card["labels"] == {"melanoma": 2, "wart": 2}
    assert (card["images"], card["malignant"]) == (4, 2)


def test_the_card_of_a_drawn_data_set_needs_no_drawing(tonegap: Callable[..., Ran]) -> None:
    card = json.loads(tonegap("data", "show", "phantom", "--json").out)
    assert card["images"] == 2400
    assert card["tones"]["tone"]["VI"] == 225


def test_an_unknown_data_set_is_one_sentence(tonegap: Callable[..., Ran]) -> None:
    ran = tonegap("data", "check", "isic")
    assert ran.code == 2
    assert (
        "no data set 'isic'; there are: ddi, fitzpatrick17k, fitzpatrick17k-ddi, pad-ufes-20, "
        "pad-ufes-20-sample, phantom" in ran.err
    )


def _rewritten(clinic: Dataset, *rows: str) -> Path:
    """The clinic with these rows, its cells taken as they are."""
    declared = clinic.folder / "dataset.toml"
    text = declared.read_text()
    line = next(line for line in text.splitlines() if line.startswith("bad.cells"))
    declared.write_text(text.replace(line, "bad = {}"))
    (metadata,) = clinic.folder.glob("*.csv")
    metadata.write_text("\n".join(["picture no,what,skin,bad", *rows]) + "\n")
    return clinic.folder


def test_cells_that_count_as_benign_for_their_spelling_are_named(
    tonegap: Callable[..., Ran], clinic: Dataset
) -> None:
    folder = _rewritten(clinic, "a1,wart,1,no", "a2,melanoma,1,Yes", "a3,melanoma,1,yes ")
    said = "those of [malignant]: 1 'Yes' beside 'yes', 1 'yes ' beside 'yes'; name them in"
    shown = tonegap("data", "show", folder)
    assert shown.code == 2
    assert said in shown.err
    assert f"WARNING: {folder}" in (checked := tonegap("data", "check", folder, store=True)).out
    assert said in checked.out


def test_a_blank_is_no_label_and_blanks_around_one_are_seen(
    tonegap: Callable[..., Ran], clinic: Dataset
) -> None:
    rows = ["a1,wart,1,no", "a2,wart ,?,no", "a3,,?,no", "a4,wart,1,yes"]
    folder = _rewritten(clinic, *rows)
    shown = tonegap("data", "show", folder)
    assert shown.code == 0, shown.err
    assert "4 images, 1 of them malignant, 2 labels" in shown.out
    checked = tonegap("data", "check", folder, store=True).out
    for text in (shown.out, checked):
        starts = [line.strip().partition("  ")[0] for line in text.splitlines()]
        assert [starts.count(label) for label in ("wart", "'wart '", "(empty)")] == [1, 1, 1]


def test_tones_and_groups_of_tones_stand_from_light_to_dark(
    tonegap: Callable[..., Ran], clinic: Dataset
) -> None:
    rows = [f"a{i},wart,{tone},no" for i, tone in enumerate(("IV", "V-VI", "III", "I-II"))]
    folder = _rewritten(clinic, *rows)
    card = json.loads(tonegap("data", "show", folder, "--json").out)
    assert list(card["tones"]["nurse"]) == ["I-II", "III", "IV", "V-VI"]
    listing = json.loads(tonegap("data", "check", folder, "--json", store=True).out)
    assert [row["tone"] for row in listing["tones"]] == ["I-II", "III", "IV", "V-VI"]
