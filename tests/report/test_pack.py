"""The paperwork of a submission: filled from results, every link leads somewhere, and a changed number is found."""

import json
import re
import shutil
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from damages import call
from tiny_rooms import LEADERBOARD, Rooms, tonegap

from tonegap.api import pack as api_pack
from tonegap.declared.checklist import read_checklists
from tonegap.errors import BadRequest, BadSuiteFolder
from tonegap.report.pack.answers import ANSWERS
from tonegap.report.references import WORK, _told

__all__ = ["tonegap"]

ROOT = Path(__file__).parents[2]
CHECKLIST = """\
title = "Tiny list"
cite = "Nobody 2025, arXiv 2501.00001"
about = "Four items."
items = [
  { id = "1", topic = "who trains", answers = ["models"] },
  { id = "2", topic = "second annotation", answers = ["tone_labels"] },
  { id = "3", topic = "funding", author = "who paid" },
  { id = "4", topic = "treatment", none = "no one is treated" },
]
"""
LINK = re.compile(r"\]\(([^)]+)\)")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A suite root and a pack of a suite that ran in it."""
    folder = tmp_path_factory.mktemp("made")
    rooms = Rooms(folder / "root")
    rooms.drawn()
    rooms.method("none")
    rooms.baseline("plain", paper="Somebody 2024, doi 10.1000/182, A_B & C")
    rooms.suite(entries=[{"methods": ["none"], "baselines": ["plain"]}])
    rooms.write("reports/leaderboard.toml", LEADERBOARD.replace("n_details = 0", "n_details = 9"))
    rooms.write("reports/checklists/tiny.toml", CHECKLIST)
    place = ("--suite-root", rooms.root, "--store", folder / "runs")
    assert call(["run", "tiny", *place])[0] == 0
    said = call(["pack", "tiny", *place, "--out", folder / "pack"])
    assert said == (
        0,
        f"{folder / 'pack/README.md'}: 1 items filled, 2 left to the author, 1 not applicable\n",
    )
    shutil.rmtree(folder / "runs")
    return rooms, folder / "pack"


def test_a_pack_made_in_python_is_the_same_to_the_last_byte(made, tmp_path):
    rooms, folder = made
    bundle = next(folder.glob("*.zip"))
    readme = api_pack(bundle, tmp_path / "own", store=tmp_path, suite_root=rooms.root)
    assert readme == tmp_path / "own/README.md"
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        assert (tmp_path / "own" / path).read_bytes() == (folder / path).read_bytes(), path
    with pytest.raises(BadRequest, match="found files, wanted a new or empty folder"):
        api_pack(bundle, tmp_path / "own", suite_root=rooms.root)


@pytest.fixture
def suite(made):
    return made[0]


@pytest.fixture
def pack(made, tmp_path):
    return shutil.copytree(made[1], tmp_path / "pack")


def test_items_are_filled_left_to_the_author_or_do_not_apply(pack):
    text = (pack / "tiny.md").read_text(encoding="utf-8")
    parts = dict(part.split("\n\n", 1) for part in text.split("\n## ")[1:])
    filled = parts["1: who trains"]
    assert "none + plain" in filled
    assert re.search(r"\(report/entries/[\w-]+\.html#tones\)", filled)
    assert (
        parts["2: second annotation"].strip()
        == "*Author must write*: the results say nothing of it."
    )
    assert parts["3: funding"].strip() == "*Author must write*: who paid."
    assert parts["4: treatment"].strip() == "*Not applicable*: no one is treated."


def test_every_link_of_a_pack_leads_to_what_is_in_it(pack):
    documents = sorted(pack.glob("*.md"))
    links = [(page, link) for page in documents for link in LINK.findall(page.read_text("utf-8"))]
    assert {page.name for page in documents} == {
        "README.md",
        "artifact.md",
        "statistics.md",
        "tiny.md",
    }
    assert len(links) > 8
    assert [(page.name, link) for page, link in links if not leads(pack, link)] == []
    assert sum("#" in link for _, link in links) >= 1


def test_every_answer_leads_to_the_place_that_says_it(suite, pack, tonegap, tmp_path):
    names = sorted(ANSWERS)
    items = "".join(f'  {{ id = "{n}", topic = "{n}", answers = ["{n}"] }},\n' for n in names)
    suite.write(
        "reports/checklists/every.toml", f"{CHECKLIST.partition('items =')[0]}items = [\n{items}]\n"
    )
    out = tmp_path / "again"
    code = tonegap("pack", pack / "tiny.tonegap.zip", "--suite-root", suite.root, "--out", out)
    (suite.root / "reports/checklists/every.toml").unlink()
    assert code == 0, tonegap.err
    links = LINK.findall((out / "every.md").read_text("utf-8"))
    assert len(links) >= len(names) / 2
    assert [link for link in links if not leads(out, link)] == []
    # Bundle, descriptions of data sets and suite files as a whole; all others to a section.
    whole = {link for link in links if "#" not in link}
    assert {Path(link).suffix for link in whole} <= {".zip", ".json", ".md", ".html", ".toml"}
    assert "report/index.html#t1" in links


def leads(folder, link):
    """Whether a file of a pack is there, and has the place in it that a link names."""
    path, _, place = link.partition("#")
    there = (folder / path).exists()
    return there and (not place or f'id="{place}"' in (folder / path).read_text("utf-8"))


def test_works_that_were_used_are_references(pack):
    text = (pack / "references.bib").read_text(encoding="utf-8")
    assert "doi = {10.1000/182}," in text
    assert r"note = {Somebody 2024, doi 10.1000/182, A\_B \& C}" in text
    assert "eprint = {2501.00001}," in text
    assert text.count("2501.00001") == 2  # an entry once: its number and its note
    assert "author = {Somebody}" not in text  # one name is no list of authors


def test_a_deposit_names_no_author(pack):
    said = json.loads((pack / ".zenodo.json").read_bytes())
    assert said["creators"] == []
    assert said["upload_type"] == "dataset"


@pytest.mark.parametrize(
    ("work", "authors", "year", "title"),
    [
        ("Du et al. 2022, FairDisCo, arXiv 2208.10013", "Du et al.", "2022", "FairDisCo"),
        (
            "Wang, Chung and Hamm 2024, From Majority; code",
            "Wang, Chung and Hamm",
            "2024",
            "From Majority",
        ),
        ("Ganin et al. 2016, doi 10.1/2", "Ganin et al.", "2016", None),
    ],
)
def test_authors_year_and_title_are_read_where_they_stand(work, authors, year, title):
    found = WORK.match(work)
    assert (found["authors"], found["year"], found["title"]) == (authors, year, title)


@pytest.mark.parametrize(
    "work", ["Groh et al., Evaluating, JAMA 2022;1", "FairDisCo (Du et al. 2022)", "drawn here"]
)
def test_what_is_no_reference_of_that_form_stays_a_note(work):
    assert WORK.match(work) is None


def test_the_name_of_another_version_in_a_pack_is_named(suite, pack, tonegap):
    said = json.loads((pack / "pack.json").read_bytes())
    (pack / "pack.json").write_text(json.dumps(said | {"made_by": "tonegap 9.9.9"}))
    assert tonegap("verify", pack, "--suite-root", suite.root) == 1
    assert "pack.json: says tonegap 9.9.9; tonegap " in tonegap.out


def test_a_pack_as_it_was_made_verifies(suite, pack, tonegap):
    assert tonegap("verify", pack, "--suite-root", suite.root) == 0, tonegap.out
    assert ": all as they were" in tonegap.out


@pytest.mark.parametrize("name", ["statistics.md", "tiny.md", "report/leaderboard.csv"])
def test_a_changed_number_is_found(suite, pack, tonegap, name):
    path = pack / name
    text = path.read_text(encoding="utf-8")
    digit = re.search(r"\d", text)
    path.write_text(
        text[: digit.start()] + str((int(digit[0]) + 1) % 10) + text[digit.end() :],
        encoding="utf-8",
    )
    assert tonegap("verify", pack, "--suite-root", suite.root) == 1
    assert f"{name}: not what the bundle gives" in tonegap.out


def test_a_file_that_is_gone_and_one_that_is_new_are_named(suite, pack, tonegap):
    (pack / "artifact.md").unlink()
    (pack / "more.md").touch()
    assert tonegap("verify", pack, "--suite-root", suite.root) == 1
    assert "artifact.md: missing" in tonegap.out
    assert "more.md: not part of the pack" in tonegap.out


def test_a_pack_is_made_of_a_bundle_alone(suite, pack, tonegap, tmp_path):
    bundle = pack / "tiny.tonegap.zip"
    where = ("--suite-root", suite.root, "--out", tmp_path / "again")
    assert tonegap("pack", bundle, *where) == 0, tonegap.err
    for path in pack.rglob("*"):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(pack)).read_bytes() == path.read_bytes()


def test_a_folder_with_files_is_left_alone(suite, pack, tonegap):
    (pack / "mine.md").write_text("mine")
    where = ("--suite-root", suite.root, "--out", pack)
    assert tonegap("pack", pack / "tiny.tonegap.zip", *where) == 2
    assert "found files, wanted a new or empty folder; choose another --out" in tonegap.err
    assert (pack / "mine.md").read_text() == "mine"


def test_a_folder_that_is_no_pack_is_refused(tonegap, tmp_path):
    assert tonegap("verify", tmp_path) == 2
    assert "no pack.json; wanted a folder that `tonegap pack` made" in tonegap.err


def test_a_pack_that_names_a_bundle_elsewhere_is_refused(suite, pack, tonegap):
    said = json.loads((pack / "pack.json").read_bytes())
    (pack / "pack.json").write_text(json.dumps(said | {"bundle": "../pack/tiny.tonegap.zip"}))
    assert tonegap("verify", pack, "--suite-root", suite.root) == 2
    assert "no bundle '../pack/tiny.tonegap.zip' beside it" in tonegap.err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            ', answers = ["models"]',
            "",
            "item 1: found nothing; wanted one of answers, author, none",
        ),
        ('none = "no', 'author = "x", none = "no', "item 4: found author and none; wanted one of"),
        ('["models"]', '["model"]', "item 1: no answer 'model'; there are: access, code"),
    ],
)
def test_an_item_is_answered_in_one_way_that_is_there(tmp_path, old, new, said):
    path = tmp_path / "reports/checklists/tiny.toml"
    path.parent.mkdir(parents=True)
    path.write_text(CHECKLIST.replace(old, new))
    with pytest.raises(BadSuiteFolder, match=re.escape(said)):
        read_checklists(tmp_path, frozenset(ANSWERS))


def test_the_checklists_of_the_suite_ask_for_every_answer_and_number_no_item_twice():
    found = read_checklists(ROOT, frozenset(ANSWERS))
    assert sorted(found) == ["claim", "clear-derm", "miccai", "stard-ai", "tripod-ai"]
    assert {name for one in found.values() for item in one.items for name in item.answers} == set(
        ANSWERS
    )
    for one in found.values():
        assert [n for n in Counter(item.id for item in one.items).values() if n > 1] == []


@pytest.fixture(scope="module")
def thinned(tmp_path_factory):
    """A suite root; a folder with stand-ins, runs, and a pack of 20 images by a suite file from elsewhere."""
    folder = tmp_path_factory.mktemp("thinned")
    rooms = Rooms(folder / "root")
    rooms.clinic(folder / "clinic")
    rooms.method("none")
    rooms.baseline("plain", paper="a loss of arXiv 2501.00001")
    own = rooms.suite("own", tasks=["clinic/two"]).rename(folder / "own.toml")
    rooms.write("reports/leaderboard.toml", LEADERBOARD.replace("n_details = 0", "n_details = 9"))
    checklist = every_answer().replace("Nobody 2025", "Nobody and Someone 2025, Titles")
    rooms.write("reports/checklists/every.toml", checklist)
    csv = next((folder / "clinic").glob("*.csv"))
    place = ("--suite-root", rooms.root)
    drawn = ("--like", csv, "--out", folder / "stand-ins", "--size", 16)
    assert call(["data", "phantom", *drawn, *place])[0] == 0
    where = (*place, "--store", folder / "runs")
    asked = ("--subset", 20, "--root", folder / "stand-ins")
    code, said = call(["run", own, *asked, *where])
    assert code == 0, said
    code, said = call(["pack", "own-subset-20", *where, "--out", folder / "pack"])
    assert code == 0, said
    return rooms, folder


def every_answer():
    """A checklist with an item for each answer, of its name."""
    items = "".join(
        f'  {{ id = "{n}", topic = "{n}", answers = ["{n}"] }},\n' for n in sorted(ANSWERS)
    )
    return f"{CHECKLIST.partition('items =')[0]}items = [\n{items}]\n"


def answered(pack, name):
    """What the checklist of every answer says under a name."""
    text = (pack / "every.md").read_text("utf-8")
    return text.partition(f"## {name}: {name}\n")[2].partition("\n## ")[0]


def test_the_commands_of_a_pack_make_its_records_again(thinned, monkeypatch, tmp_path):
    rooms, folder = thinned
    artifact = (folder / "pack/artifact.md").read_text("utf-8")
    assert "stand in for the real images (tonegap data phantom --like CSV --out DIR" in artifact
    commands = re.findall(r"^\$ tonegap (run .*)$", artifact, re.MULTILINE)
    assert [c.split()[2:] for c in commands] == [["--root", "DIR"]]
    assert commands[0] in answered(folder / "pack", "reproduce")
    monkeypatch.chdir(folder / "pack")
    words = commands[0].replace("DIR", str(folder / "stand-ins")).split()
    code, said = call([*words, "--suite-root", rooms.root, "--store", tmp_path / "again"])
    assert code == 0, said

    def scores(store):
        records = sorted((store / "records").glob("*.json"))
        return [json.loads(path.read_bytes())["scores"] for path in records]

    assert len(scores(folder / "runs")) == 1
    assert scores(tmp_path / "again") == scores(folder / "runs")


def test_a_subset_of_stand_ins_is_not_told_as_the_whole_task(thinned, made):
    pack = thinned[1] / "pack"
    record = json.loads(next((thinned[1] / "runs/records").glob("*.json")).read_bytes())
    sizes = {name: part["n"] for name, part in record["partitions"].items() if name != "unused"}
    assert 0 < sum(sizes.values()) <= 22
    said = (
        "What ran is synthetic stand-ins, drawn by tonegap data phantom --like, for the real images; a subset of about "
        f"20 images: {', '.join(f'{name} {n}' for name, n in sizes.items())} images with seed 0."
    )
    question = answered(pack, "question").replace("\\", "")
    assert said in question
    assert "As declared, for the whole task on its own images: Pool to train on" in question
    croissant = json.loads((pack / "report/croissant/clinic-two.json").read_bytes())
    assert croissant["description"].endswith(said)
    assert croissant["rai:hasSyntheticData"] is True
    whole = (made[1] / "report/croissant/sixty-two.json").read_text("utf-8")
    assert "What ran" not in whole


def test_drawn_images_and_stand_ins_are_told_as_synthetic(thinned, suite, pack, tonegap, tmp_path):
    assert "every image, those trained on too, is synthetic: drawn by tonegap data phantom" in (
        answered(thinned[1] / "pack", "synthetic")
    )
    suite.write("reports/checklists/every.toml", every_answer())
    out = tmp_path / "again"
    code = tonegap("pack", pack / "tiny.tonegap.zip", "--suite-root", suite.root, "--out", out)
    (suite.root / "reports/checklists/every.toml").unlink()
    assert code == 0, tonegap.err
    said = answered(out, "synthetic")
    assert "every image, those trained on too, is synthetic: drawn by tonegap; no method" in said
    assert "no synthetic image was trained on" not in said


def test_a_tones_interval_is_said_to_be_where_it_is(thinned):
    pack = thinned[1] / "pack"
    said = answered(pack, "tone_scores").splitlines()
    overall = [line for line in said if line.endswith("(statistics.md)")]
    by_tone = [line for line in said if "95 % interval by tone" in line]
    assert len(overall) == 1
    assert "95 % intervals of worst tone, gap and all images" in overall[0]
    assert len(by_tone) == 1
    page = re.search(r"\((report/entries/.*\.html)#tones\)$", by_tone[0])[1]
    section = (pack / page).read_text("utf-8").partition('id="tones"')[2].partition("</section")[0]
    assert "95 % interval" in section
    assert re.search(r"<th[^>]*>VI</th>.*?\d to \d", section, re.DOTALL)


def test_an_answer_is_one_to_the_question_that_is_asked(thinned):
    pack = thinned[1] / "pack"
    labels = answered(pack, "labels")
    assert "positive: basal cell carcinoma. Labelled by: not declared." in labels
    assert "threshold" not in labels
    assert labels.strip().startswith("- *Author must write*: ")
    assert "Mark “reference”" not in answered(pack, "limitations")
    assert "Mark “stand-in”" in answered(pack, "limitations")
    assert "no weights of a model" in answered(pack, "code")
    assert "a subset of about 20 images" in answered(pack, "eligibility")
    values = re.search(
        r"every value that it ran with \[→\]\((.*\.toml)\)", answered(pack, "parameters")
    )
    again = tomllib.loads((pack / values[1]).read_text("utf-8"))
    assert again["entries"][0]["baselines"] == ["plain"]


@pytest.mark.parametrize(
    ("name", "items"),
    [
        ("tripod-ai", ["8b", "9c", "13", "20b", "21", "22"]),
        ("stard-ai", ["12b", "15", "20", "21b"]),
        ("claim", ["17", "30", "36"]),
        ("miccai", ["code 4", "results 1"]),
        ("clear-derm", ["application: code"]),
    ],
)
def test_what_no_record_answers_is_the_authors(name, items):
    found = {item.id: item for item in read_checklists(ROOT, frozenset(ANSWERS))[name].items}
    assert [item for item in items if found[item].answers or not found[item].author] == []


@pytest.mark.parametrize(
    ("work", "author", "year", "title"),
    [
        (
            "Du et al., FairDisCo, arXiv 2208.10013; split of a/b",
            "Du and others",
            "2022",
            "FairDisCo",
        ),
        ("Zong et al., MEDFAIR, ICLR 2023; rule of c", "Zong and others", "2023", "MEDFAIR"),
        (
            "Wang, Chung and Hamm, From Majority, arXiv 2010.18375; split",
            "Wang and Chung and Hamm",
            "2020",
            "From Majority",
        ),
        (
            "D et al., Disparities on a diverse, curated image set, Science Advances 8(31), eabq6147, 2022; columns: x",
            "D and others",
            "2022",
            "Disparities on a diverse, curated image set",
        ),
    ],
)
def test_a_year_that_follows_the_title_is_read(work, author, year, title):
    assert _told(work) == {"author": author, "year": year, "title": title}


def test_the_checklists_of_the_suite_cite_works_with_author_title_and_year():
    for one in read_checklists(ROOT, frozenset(ANSWERS)).values():
        assert _told(one.cite).keys() == {"author", "year", "title"}, one.cite


def test_what_metrics_rest_on_is_a_reference(pack):
    assert "author = {Pedregosa and others}" in (pack / "references.bib").read_text("utf-8")


def test_of_two_mentions_of_a_work_the_one_that_says_more_is_kept(thinned):
    text = (thinned[1] / "pack/references.bib").read_text("utf-8")
    entries = [one for one in text.split("@misc") if "eprint = {2501.00001}" in one]
    assert len(entries) == 1
    assert "author = {Nobody and Someone},\n  year = {2025},\n  title = {Titles}" in entries[0]
