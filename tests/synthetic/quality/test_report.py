"""Sheets in a report: a line per set, a page of its own, and a reason where there is none."""

import base64
import csv
import json
import re

import pytest

from tonegap.declared.report_settings import read_settings
from tonegap.errors import StoreError
from tonegap.formats.quality_sheet import SetDistance, decode_sheet
from tonegap.report.pages.leaderboard_page import render_html
from tonegap.report.quality_tables import kernel, quality_tables
from tonegap.report.quality_text import set_lines
from tonegap.report.suite_report import publish_suite
from tonegap.results.assemble import assemble
from tonegap.results.quality import read_set_sheets
from tonegap.run.external_set import laid_out
from tonegap.run.sheet_maker import SHEET
from tonegap.store.read import read_suites
from tonegap.synthetic.manifest import read_synthetic


@pytest.fixture
def report(quality):
    """The published report of a run: its folder."""
    plan, _ = quality()
    return publish_suite(quality.rooms.root, quality.store.folder, plan.matrix).parent


def sheets_of(quality):
    return read_set_sheets(quality.store.folder, read_suites(quality.store.folder))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_report_links_a_page_for_each_set(report):
    (link,) = re.findall(
        r'href="(quality/[^"]+\.html)">grey</a>', (report / "index.html").read_text()
    )
    page = (report / link).read_text()
    assert "<h1>grey on clinic/two, seed 0</h1>" in page
    assert '<a href="../index.html">report</a>' in page


def test_a_missing_lesion_is_a_loss_but_where_healthy_skin_was_asked_for(quality, report):
    """cgDDI's healthy images are labelled healthy: of them all should show none."""
    (about,) = {
        table.about
        for made in sheets_of(quality)
        for table in quality_tables(made.sheet)
        if table.title == "Lesion and sharpness"
    }
    assert (
        "A share above that of the training images says that lesions were lost, but where healthy skin was asked for: "
        "there it should be near 100 %." in about
    )


def test_a_page_holds_its_pictures_and_fetches_nothing(report):
    (path,) = (report / "quality").glob("*.html")
    page = path.read_text()
    found = re.findall(r'src="([^"]+)"', page)
    assert len(found) == 2
    for source in found:
        assert base64.b64decode(source.removeprefix("data:image/jpeg;base64,")).startswith(
            b"\xff\xd8"
        )
    assert "://" not in page
    assert "default-src 'none'" in page


def test_the_page_says_what_the_numbers_rest_on(report):
    (path,) = (report / "quality").glob("*.html")
    page = path.read_text()
    assert "a network with random weights" in page
    assert "FID of random features" in page
    assert "12 real training images; at least 20 are wanted" in page
    assert "12 training images; no validation or test image" in page
    assert "images of the data set clinic: its licence decides" in page


def test_markdown_and_json_say_the_same_beside_it(report):
    (text,) = (report / "quality").glob("*.md")
    (data,) = (report / "quality").glob("*.json")
    sheet = decode_sheet(data.read_bytes())
    said = text.read_text()
    assert f"{sheet.set.n} synthetic images. No share as asked: the skin of no image" in said
    assert "Not measurable, and in no share: 3 with less than 50 %" in said
    assert "| synthetic | 100.0 % | 3 |" in said
    for name in re.findall(r"\]\(([^)]+\.jpg)\)", text.read_text()):
        assert (text.parent / name).exists()
    (made,) = json.loads((report / "leaderboard.json").read_text())["synthetic_sets"]
    assert made["sheet"]["key"] == sheet.key
    lines = (report / "leaderboard.md").read_text().split("### Synthetic sets")[1].splitlines()
    assert next(line for line in lines if line.startswith("| grey")).count("|") == 11


def test_the_same_sheets_give_the_same_pages(quality, report):
    before = contents(report / "quality")
    (report / "made-from").unlink()
    publish_suite(quality.rooms.root, quality.store.folder, quality.plan().matrix)
    assert contents(report / "quality") == before


def test_a_suite_on_the_monk_scale_is_scored_and_says_that_its_sheets_know_none(quality):
    root = quality.rooms.root / "benchmarks/clinic"
    for path, old, new in (
        (root / "dataset.toml", "[tones.tone]", '[tones.tone]\nscale = "monk"\nwords = { I = "M2", VI = "M9" }'),
        (root / "tasks/two.toml", '["I", "VI"]', '["M2", "M9"]'),
    ):  # fmt: skip
        path.write_text(path.read_text().replace(old, new))
    plan, tally = quality()
    assert tally.failures == ()
    page = publish_suite(quality.rooms.root, quality.store.folder, plan.matrix)
    (record,) = (quality.store.folder / "records").glob("*.json")
    assert json.loads(record.read_text())["tones"] == ["M2", "M9"]
    assert "tones of the Monk scale" in page.read_text()
    share = quality.sheet(plan).real_tones.same_group
    assert (share.value, share.n) == (None, 0)
    assert "tones here are of another scale" in share.reason


def test_another_sheet_makes_the_report_anew(quality, report):
    before = (report / "index.html").read_text()
    quality.extractor("import sys\nsys.exit('no such weights')\n")
    plan, _ = quality()
    page = publish_suite(quality.rooms.root, quality.store.folder, plan.matrix)
    assert page.read_text() != before
    assert "no such weights" in page.read_text()


def test_pages_that_a_report_no_longer_lists_are_removed_and_nothing_else(quality, report):
    folder = report / "quality"
    (json_of,) = folder.glob("*.json")
    (folder / "mine.json").write_text('{"schema": "tonegap/quality@1", "key": "0123456789"}')
    (folder / f"{json_of.stem}-notes.txt").write_text("mine")
    before = contents(folder)
    quality.extractor("import sys\nsys.exit('no such weights')\n")
    plan, _ = quality()
    publish_suite(quality.rooms.root, quality.store.folder, plan.matrix)
    left = {path.relative_to(folder).as_posix() for path in contents(folder).keys() & before.keys()}
    assert left == {"mine.json", f"{json_of.stem}-notes.txt"}
    assert len(list(folder.glob("*.html"))) == 1
    assert not (folder / json_of.stem).exists()


def test_a_set_without_a_sheet_is_listed_with_that_as_its_reason(quality):
    plan, _ = quality()
    (quality.folder(plan) / SHEET).unlink()
    (made,) = sheets_of(quality)
    assert (made.method, made.sheet) == ("grey", None)
    (line,) = set_lines([made], "clinic/two")
    assert line.why.startswith("no quality sheet here: none was made (the run's log says why), or")
    page = publish_suite(quality.rooms.root, quality.store.folder, plan.matrix)
    assert line.why.replace("'", "&#39;") in page.read_text()


def test_a_set_that_was_never_made_is_not_listed(quality):
    quality.rooms.method(
        "grey", "import sys\nsys.exit(1)\n", parameters={"n": {"default": 3, "about": "i"}}
    )
    quality()
    assert sheets_of(quality) == ()


def test_a_report_in_one_file_has_no_links_to_pages(quality):
    plan, _ = quality()
    store = quality.store.folder
    suites = [suite for suite in read_suites(store) if suite.matrix.suite == plan.matrix.suite]
    board = assemble(store, suites, read_settings(quality.rooms.root))
    assert len(board.sheets) == 1
    page = render_html(board)
    assert ">grey</th>" in page
    assert "quality/" not in page


def test_variants_of_the_entries_that_use_a_set_are_named(quality):
    rows = [
        {
            "methods": ["grey"],
            "baselines": ["plain"],
            "variant": name,
            "method_parameters": {"n": n},
        }
        for name, n in (("few", 2), ("many", 5))
    ]
    quality.suite(entries=rows)
    quality()
    assert [made.label for made in sheets_of(quality)] == ["grey (few)", "grey (many)"]
    assert [made.sheet.set.n for made in sheets_of(quality)] == [2, 5]


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (SHEET, b"{", "is not what was written"),
        ("contact.jpg", b"x", "is not the picture its sheet names"),
    ],
)
def test_a_damaged_sheet_is_named(quality, file, content, words):
    plan, _ = quality()
    path = quality.folder(plan) / file
    path.write_bytes(content)
    with pytest.raises(StoreError, match=f"{path}: {words}"):
        sheets_of(quality)


def test_a_sheet_that_became_a_link_to_itself_is_damaged_and_not_absent(quality):
    plan, _ = quality()
    path = quality.folder(plan) / SHEET
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(StoreError, match="quality"):
        sheets_of(quality)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.0013739, 0.0000547, "0.001374 ± 0.000055"),
        (-0.166, 0.0382, "−0.166 ± 0.038"),
        (8155.2, 17.62, "8155 ± 18"),
        (None, None, "–"),
    ],
)
def test_a_kernel_distance_has_the_digits_that_its_error_leaves(value, error, text):
    assert kernel(SetDistance("all", 30, 30, value, None, error)) == text


ORDER = ("sources", "label", "tone")


def test_the_command_makes_the_sheet_of_a_set_from_elsewhere(quality, tonegap, tmp_path):
    plan, _ = quality()
    made = quality.store.stage_folder(plan.sheets[0].generate.key)
    own = tmp_path / "my-set"
    own.mkdir()
    (made / "images").rename(own / "images")
    (made / "synthetic.csv").rename(own / "synthetic.csv")
    words = (
        "--suite-root",
        quality.rooms.root,
        "--root",
        quality.download,
        "--store",
        tmp_path / "s",
    )
    assert tonegap("quality", own, "tiny", *words) == 0, tonegap.err
    page = tmp_path / "my-set-quality" / tonegap.out.strip().rpartition("/")[2]
    assert "<h1>my-set on clinic/two, seed 0</h1>" in page.read_text()
    assert "index.html" not in page.read_text()
    sheet = decode_sheet(page.with_suffix(".json").read_bytes())
    assert sheet.measured == quality.sheet(plan).measured
    # What `tonegap audit` can read it reads as well: other columns, paths from the folder, no ids.
    rows = list(csv.DictReader((own / "synthetic.csv").read_text().splitlines()))
    (own / "synthetic.csv").unlink()
    lines = [",".join(["images/" + row["file"], *map(row.get, ORDER)]) for row in rows]
    (own / "list.csv").write_text("\n".join([",".join(["file", *ORDER]), *lines]) + "\n")
    assert tonegap("quality", own, "tiny", *words) == 0, tonegap.err
    again = tmp_path / "my-set-quality" / tonegap.out.strip().rpartition("/")[2]
    assert again.name != page.name
    other = decode_sheet(again.with_suffix(".json").read_bytes())
    assert (other.set.n, other.measured.fid) == (sheet.set.n, sheet.measured.fid)


def test_the_command_names_what_is_wrong_with_a_set(quality, tonegap, tmp_path):
    own = tmp_path / "my-set"
    (own / "images").mkdir(parents=True)
    words = (
        "--suite-root",
        quality.rooms.root,
        "--root",
        quality.download,
        "--store",
        tmp_path / "s",
    )
    assert tonegap("quality", own, "tiny", *words) == 2
    assert f"{own}: no images; wanted a folder of PNG or JPEG files, or a CSV file" in tonegap.err
    rows = "image_id,file,label,tone,prompt,seed,sources\nx,x.png,measles,V,,,\n"
    (own / "synthetic.csv").write_text(rows)
    (own / "images" / "x.png").write_bytes((quality.download / "c00.png").read_bytes())
    assert tonegap("quality", own, "tiny", *words) == 2
    assert "'measles' is no class of clinic/two" in tonegap.err
    label = quality.plan().runs[0].view.classes[0]
    (own / "synthetic.csv").write_text(rows.replace("measles", label).replace(",V,", ",M9,"))
    assert tonegap("quality", own, "tiny", *words) == 2
    assert f"{own}: x has the tone M9; wanted one of clinic/two: " in tonegap.err


def test_an_image_on_the_skin_of_a_real_one_is_laid_out_with_its_tone(quality, tmp_path):
    (own := tmp_path / "own").mkdir()
    for name in ("c00_with_folliculitis_from_VI_c03", "c02_with_folliculitis_from_I_c01"):
        (own / f"{name}.png").write_bytes((quality.download / "c00.png").read_bytes())
    quality.suite()
    place = laid_out(own, None, tmp_path / "out", quality.plan().runs[0].view, {})
    assert [row.tone for row in read_synthetic(place)] == ["I", "VI"]


def test_the_files_beside_images_of_synthetic_derm_are_read(quality, tonegap, tmp_path):
    """c00 is a training image of tone I; `basal-cell-carcinoma` is the class without hyphens."""
    (own := tmp_path / "own").mkdir()
    (own / "0.png").write_bytes((quality.download / "c00.png").read_bytes())
    told = {"label": "basal-cell-carcinoma", "md5hash": "c00", "method": "finetune_inpaint"}
    (own / "0.json").write_text(json.dumps(told | {"submethod": "inpaint"}))
    quality.suite()
    (row,) = read_synthetic(laid_out(own, None, tmp_path / "out", quality.plan().runs[0].view, {}))
    assert (row.label, row.tone, row.sources) == ("basal cell carcinoma", "I", ("c00", "?"))
    words = ["--suite-root", quality.rooms.root, "--root", quality.download]
    assert tonegap("quality", own, "tiny", *words, "--store", tmp_path / "s") == 0, tonegap.err
    (own / "0.json").write_text(json.dumps(told | {"submethod": "inpaint", "label": "all"}))
    assert tonegap("quality", own, "tiny", *words, "--store", tmp_path / "s") == 2
    assert f"{own}: 0: 'all' is no class of clinic/two; wanted one in the column" in tonegap.err


def test_a_label_that_the_task_renames_is_its_class(quality, tmp_path):
    """By letters and digits, as a class; a class is never renamed, and what is neither stays as it is."""
    (own := tmp_path / "own").mkdir()
    for name in ("a", "b", "c"):
        (own / f"{name}.png").write_bytes((quality.download / "c00.png").read_bytes())
    labels = ("Boils-and_Carbuncles", "Folliculitis", "measles")
    rows = [f"{name}.png,{label}" for name, label in zip("abc", labels, strict=True)]
    (own / "set.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    quality.suite()
    rename = {"boils and carbuncles": "folliculitis", "folliculitis": "basal cell carcinoma"}
    view = quality.plan().runs[0].view
    found = read_synthetic(laid_out(own, None, tmp_path / "out", view, rename))
    assert [row.label for row in found] == ["folliculitis", "folliculitis", "measles"]


def test_quality_takes_the_renaming_of_its_task(quality, tonegap, tmp_path):
    (own := tmp_path / "own").mkdir()
    (own / "a.png").write_bytes((quality.download / "c00.png").read_bytes())
    (own / "set.csv").write_text("file,label\na.png,boils\n")
    quality.suite()
    words = ["--suite-root", quality.rooms.root, "--root", quality.download]
    assert tonegap("quality", own, "tiny", *words, "--store", tmp_path / "s") == 2
    assert "'boils' is no class of clinic/two" in tonegap.err
    (path,) = quality.rooms.root.glob("benchmarks/clinic/**/two.toml")
    said = path.read_text().replace("[labels]\n", "[labels]\nrename = { boils = 'folliculitis' }\n")
    path.write_text(said)
    assert tonegap("quality", own, "tiny", *words, "--store", tmp_path / "s") == 0, tonegap.err


def test_an_image_without_a_row_is_in_the_set_too(quality, tmp_path):
    (own := tmp_path / "own").mkdir()
    for name in ("a", "c02_with_Basal_cell_carcinoma_from_I_c01"):
        (own / f"{name}.png").write_bytes((quality.download / "c00.png").read_bytes())
    header = "image_id,file,label,tone,prompt,seed,sources"
    (own / "synthetic.csv").write_text(f"{header}\na,a.png,folliculitis,V,,,c00\n")
    quality.suite()
    place = laid_out(own, None, tmp_path / "out", quality.plan().runs[0].view, {})
    assert [(row.label, row.tone, row.sources) for row in read_synthetic(place)] == [
        ("folliculitis", "V", ("c00",)),
        ("basal cell carcinoma", "VI", ("c02", "c01")),
    ]
