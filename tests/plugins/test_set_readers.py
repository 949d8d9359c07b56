"""Sets made elsewhere: what `external` trains on is read as `tonegap audit` reads it."""

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from programs import PROJECT, importable

from tonegap.errors import BadRequest, ToneGapError
from tonegap.synthetic import external_set, source_names
from tonegap.synthetic.source_names import KnownImages
from tonegap_kit.errors import StageError
from tonegap_kit.image_names import ids_by_name

with importable("methods/external"):
    from described import MANIFESTS, Columns, label_meant, read_set

with importable("methods/cgddi-lesion-mapping"):
    names_for_files = runpy.run_path(str(PROJECT / "methods/cgddi-lesion-mapping/generate.py"))[
        "names_for_files"
    ]

COLUMNS = Columns("", "file", "label", "tone", "sources")
# An image as both readers describe it: name, path, label, tone, sources, canvas.
Described = tuple[str, Path, str, str, tuple[str, ...] | None, str]


def by_the_method(folder: Path, columns: Columns = COLUMNS) -> list[Described] | None:
    """What the method reads, None where it refuses the set."""
    try:
        rows, _left_out = read_set(folder, columns)
    except StageError:
        return None
    return [(r.name, r.path, r.label, r.tone, r.sources, r.canvas) for r in rows]


def by_the_engine(folder: Path) -> list[Described] | None:
    """What audit and sheet read, None where they refuse the set."""
    try:
        found = external_set.read_set(folder, None)
    except ToneGapError:
        return None
    rows: list[Described] = []
    for row in found.rows:
        sources = row.sources
        if row.models:
            behind = [s for model in row.models for s in found.parts[model].sources]
            sources = tuple(dict.fromkeys((*(("?",) if sources is None else sources), *behind)))
        label, tone = row.cells.get("label", ""), row.cells.get("tone", "")
        rows.append((row.image_id, row.path, label, tone, sources, row.canvas))
    return rows


def derm(
    source: str, label: str = "psoriasis", method: str = "pretrained", part: str = "inpaint"
) -> str:
    return json.dumps({"label": label, "md5hash": source, "method": method, "submethod": part})


def drawn_set(folder: Path, rng: np.random.Generator) -> None:
    """A set of up to six images, with or without JSON files, rows and parts, some of it wrong."""

    def one_of(*words: str) -> str:
        return str(rng.choice(np.array(words, object)))

    names = []
    for _ in range(rng.integers(0, 7)):
        stem = one_of(
            "a", "b.1", "p1_with_skin_cancer_from_I_p2", "p3_with_x_from_12_p3", ".c", "e"
        )
        place = one_of("", "", "images/", "sub/deep/", ".kept/")
        name = f"{place}{stem}{one_of('.png', '.png', '.JPG', '.txt')}"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
        names.append(name.removeprefix(one_of("images/", "x")))
        if rng.random() < 0.3:
            method, where = one_of("finetune_x", "pretrained"), one_of("inpaint", "text")
            told = one_of(*[derm(one_of("p1", "?"), "skin-cancer", method, where)] * 6, "[]", "{")
            (folder / name).with_suffix(".json").write_text(told)
    if rng.random() < 0.3:
        return
    (folder / "model").mkdir(exist_ok=True)
    part = {"file": "x", "sha256": "", "sources": ["p4", one_of("p5", "?")]}
    lineage = {"schema": one_of(*["tonegap/lineage@1"] * 9, "x"), "parts": {"part": part}}
    (folder / "model" / "lineage.json").write_text(json.dumps(lineage))
    columns = [c for c in ("file", "label", "tone", "sources", "models") if rng.random() < 0.8]
    cells = {
        "label": ("", "psoriasis"),
        "tone": ("", "V"),
        "sources": ("", "", "?", "p1 p6", "p1 ?"),
        "models": ("", "", "", "part", *["gone"] * int(rng.random() < 0.1)),
    }
    lines = [",".join(columns)]
    for name in names:
        if rng.random() < 0.7:
            file = one_of(
                *[name] * 15, "../x.png", "/x.png", "gone.png", "", f"./{name}", "x" * 400
            )
            lines.append(",".join(file if c == "file" else one_of(*cells[c]) for c in columns))
    for table in {one_of(*MANIFESTS, "own.csv") for _ in range(rng.integers(1, 3))}:
        (folder / table).write_text("\n".join(lines).replace(",", one_of(*",,,,,,,,,;")))


def test_both_read_the_same_of_any_set_or_both_refuse_it(tmp_path: Path) -> None:
    rng, read, described = np.random.default_rng(14), 0, 0
    for number in range(500):
        folder = tmp_path / str(number)
        folder.mkdir()
        drawn_set(folder, rng)
        wanted, found = by_the_engine(folder), by_the_method(folder)
        assert found == wanted, sorted(path.name for path in folder.rglob("*"))
        read += wanted is not None
        described += sum(bool(row[4]) for row in wanted or ())
    assert 150 < read < 400  # else what is compared is nothing but refusals, or has none
    assert described > 150


class TestAnImageWithoutWordsInItsRow:
    """Hand-written: canvas p1, donor p2."""

    NAME = "p1_with_skin_cancer_from_I_p2"

    @pytest.mark.parametrize(
        ("table", "label", "tone", "sources"),
        [
            ("file,label\n{},eczema", "eczema", "", ("p1", "p2")),
            ("file,label,tone,sources\n{},,,", "skin_cancer", "", ("p1", "p2")),
            ("file,sources\n{},?", "skin_cancer", "", ("p1", "p2", "?")),
            ("file,tone,sources\n{},V,p7 p8", "skin_cancer", "V", ("p7", "p8")),
            ("file,label\nother.png,eczema", "skin_cancer", "", ("p1", "p2")),
        ],
    )
    def test_is_read_by_its_name(
        self, tmp_path: Path, table: str, label: str, tone: str, sources: tuple[str, ...]
    ) -> None:
        for name in (self.NAME, "other"):
            (tmp_path / f"{name}.png").write_bytes(b"")
        (tmp_path / "synthetic.csv").write_text(table.format(f"{self.NAME}.png") + "\n")
        rows = by_the_method(tmp_path)
        assert rows == by_the_engine(tmp_path)
        (row,) = (row for row in rows or () if row[0] == self.NAME)
        assert row[2:] == (label, tone, sources, "p1")

    def test_is_read_by_the_file_beside_it(self, tmp_path: Path) -> None:
        (tmp_path / "0.png").write_bytes(b"")
        (tmp_path / "0.json").write_text(derm("p9", "skin-cancer", "finetune_x"))
        (tmp_path / "synthetic.csv").write_text("file,label\n0.png,eczema\n")
        rows = by_the_method(tmp_path)
        assert rows == by_the_engine(tmp_path)
        assert rows == [("0", tmp_path / "0.png", "eczema", "", ("p9", "?"), "p9")]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("file;label\na.png;x\n", "no column `file`; found file;label; wanted"),
        ("File,Label\na.png,x\n", "no column `file`; found File, Label; wanted"),
        ("", "no column `file`; found none; wanted"),
        ("file,label\n../x.png,x\n", "line 2: file '../x.png' is not a path below"),
        ("file,label\n/x.png,x\n", "line 2: file '/x.png' is not a path below"),
        ("file,label\nb/../../x.png,x\n", "is not a path below"),
        ("file,label\ngone.png,x\n", "line 2: there is no file 'gone.png'"),
        ("file,label\na.png\n", "line 2: wanted 2 fields"),
        ("file,label\na.png,x\na.png,y\n", "two images are called"),
        ("file,models\na.png,lora\n", "no part 'lora' in model/lineage.json"),
    ],
)
def test_a_table_that_is_none_is_refused_by_both_in_one_sentence(
    tmp_path: Path, table: str, words: str
) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"")
    (folder / "synthetic.csv").write_text(table)
    with pytest.raises(StageError) as by_method:
        read_set(folder, COLUMNS)
    with pytest.raises(BadRequest) as by_engine:
        external_set.read_set(folder, None)
    for refused in (by_method, by_engine):
        assert words in str(refused.value)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (Columns("../x.csv", "file", "label", "tone", "sources"), "no file '../x.csv' in the set"),
        (Columns("gone.csv", "file", "label", "tone", "sources"), "no file 'gone.csv' in the set"),
        (Columns("", "file", "diagnosis", "tone", "sources"), "no column `diagnosis`"),
        (Columns("", "file", "label", "tone", "parents"), "no column `parents`"),
    ],
)
def test_a_table_or_column_that_a_user_names_has_to_be_there(
    tmp_path: Path, columns: Columns, words: str
) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "own.csv").write_text("file,label,tone,sources\na.png,x,,\n")
    with pytest.raises(StageError, match=words.replace(".", r"\.")):
        read_set(tmp_path, columns)


def test_a_table_that_a_user_names_is_all_that_counts_and_the_others_are_counted(
    tmp_path: Path,
) -> None:
    """As the rows that `tonegap audit --out` leaves."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.png").write_bytes(b"")
    (tmp_path / "kept.csv").write_text("file,label\nb.png,x\n")
    rows, left_out = read_set(tmp_path, replace(COLUMNS, manifest="kept.csv"))
    assert ([row.name for row in rows], left_out) == (["b"], 2)
    found = external_set.read_set(tmp_path, tmp_path / "kept.csv")
    assert [row.image_id for row in found.rows] == ["b"]
    assert found.described_by == "kept.csv (2 images without a row left out)"
    rows, left_out = read_set(tmp_path, COLUMNS)
    assert ([row.name for row in rows], left_out) == (["b", "a", "c"], 0)


class TestNames:
    """Names that lesions mapped onto skin carry for their two images."""

    @pytest.mark.parametrize(
        ("ids", "names"),
        [
            (["p1", "p2"], ["p1", "p2"]),
            (["000001.png", "2.JPG"], ["000001", "2"]),
            (["2021.03.000", "2021.03.001"], ["2021.03.000", "2021.03.001"]),
            (["p0.jpg", "p0.png"], ["p0.jpg", "p0.png"]),
            (["p0", "p0.png"], ["p0", "p0.png"]),
            (["a/1.png", "b/1.png"], ["a_1", "b_1"]),
        ],
    )
    def test_are_as_short_as_tells_them_from_others(self, ids: list[str], names: list[str]) -> None:
        assert list(names_for_files(ids).values()) == names

    def test_of_long_or_hidden_ids_are_short_and_shown(self) -> None:
        names = names_for_files(["x" * 200, "x" * 201, ".a"])
        assert len(set(names.values())) == 3
        assert all(len(name) <= 80 and name[0] in "xa" for name in names.values())

    def test_are_known_again_by_both_readers_and_never_mean_another_image(self) -> None:
        rng = np.random.default_rng(0)
        parts = np.array(["a", "A", "1", ".", "_", " ", "/", ".png", ".jpg", "-", "é"], object)
        known = alike = 0
        for _ in range(2000):
            ids = {"i" + "".join(rng.choice(parts, rng.integers(1, 5))) for _ in range(4)}
            names = names_for_files(ids)
            assert len(set(names.values())) == len(ids)
            method, engine = ids_by_name(ids), KnownImages(ids, {})
            for image_id, name in names.items():
                assert Path(f"{name}_").name == f"{name}_"  # no folder in it
                assert method.get(name) in {image_id, None}
                # The engine does not mind case: what it may mean then is nothing, never another.
                assert engine.known_as(name) in {image_id, ""}
                known += name in method
                alike += name not in method
        assert known > 10 * alike > 0

    def test_of_labels_mean_the_one_with_these_letters(self) -> None:
        labels = ["eczema/atopic dermatitis", "basal_cell carcinoma", "A b", "a-b", "+"]
        wanted = {
            "eczema_atopic_dermatitis": "eczema/atopic dermatitis",
            "Basal-Cell-Carcinoma": "basal_cell carcinoma",
            "a-b": "a-b",  # of two alike, the very same
            "a_b": None,
            "melanoma": None,
            "": None,
            "+": "+",
        }
        for meant in (label_meant, source_names.label_meant):
            assert {label: meant(label, labels) for label in wanted} == wanted
