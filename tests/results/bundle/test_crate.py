"""RO-Crates of bundles, read by the standard's own reader."""

import json
import zipfile
from importlib.resources import files

import pytest
from rocrate.rocrate import ROCrate
from tests.results.bundle.conftest import KEY, root, store

from tonegap.cli.main import main
from tonegap.files import sha256_bytes, sha256_file
from tonegap.results.bundle.crate import CRATE, Origin, Software, crate, crate_problems
from tonegap.results.bundle.pack import pack_suite

__all__ = ["root", "store"]

DATASET = """\
title = "D"
source = "s"
licence = "ask the clinic"
access = "walk in"
metadata = ["m.csv"]
id_column = "i"
label_column = "l"
file_names = ["{i}.png"]
[columns]
i = {}
l = {}
t = {}
[tones.t]
column = "t"
"""
A, B = "a" * 64, "b" * 64


@pytest.fixture
def bundle(root, store, tmp_path):
    (root / "benchmarks/d/dataset.toml").write_text(DATASET)
    path = tmp_path / "tiny.tonegap.zip"
    pack_suite(root, store.folder, "tiny", path, allow_incomplete=True)
    return path


@pytest.fixture
def opened(bundle, tmp_path):
    folder = tmp_path / "open"
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    return folder


def rewritten(bundle, changes, drop=()):
    """The bundle with files replaced or left out, and a manifest that fits."""
    with zipfile.ZipFile(bundle) as archive:
        held = {name: archive.read(name) for name in archive.namelist() if name not in drop}
    manifest = json.loads(held.pop("bundle.json"))
    held |= changes
    manifest["files"] = {name: sha256_bytes(content) for name, content in held.items()}
    out = bundle.with_name("changed.zip")
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in {"bundle.json": json.dumps(manifest), **held}.items():
            archive.writestr(name, content)
    return out


def verify(path, capsys):
    with pytest.raises(SystemExit) as done:
        main(["verify", str(path)])
    said = capsys.readouterr()
    return done.value.code or 0, said.out, said.err


def test_every_file_of_the_archive_is_described_with_its_digest(opened):
    read = ROCrate(opened)
    there = {p.relative_to(opened).as_posix() for p in opened.rglob("*") if p.is_file()} - {CRATE}
    assert {entity.id for entity in read.get_by_type("File")} == there
    assert {part.id for part in read.root_dataset["hasPart"]} == there
    for entity in read.get_by_type("File"):
        if entity.id != "bundle.json":
            assert entity["sha256"] == sha256_file(opened / entity.id)
        assert entity["encodingFormat"] != "application/octet-stream"


def test_the_reader_takes_the_archive_itself(bundle):
    assert ROCrate(bundle).root_dataset["name"] == "A tiny suite"


def test_the_run_names_its_programs_and_what_it_made(opened):
    action, train = ROCrate(opened).get_by_type("CreateAction")
    assert action["name"] == "tonegap run tiny"
    assert train["name"] == "train of baselines/erm"
    assert train["instrument"]["name"] == "baselines/erm"
    left = sorted(one.id for one in train["result"])
    assert [name.rpartition("/")[2] for name in left] == ["predictions.parquet", "stage.json"]
    assert all((opened / name).is_file() for name in left)
    assert [one["name"] for one in action["instrument"]] == ["tonegap", "baselines/erm"]
    assert action["instrument"][1]["softwareVersion"] == f"environment {'e' * 64}"
    assert [one.id for one in action["result"]] == [f"records/{KEY}.json"]
    assert "specs/benchmarks/d/tasks/t.toml" in [one.id for one in action["object"]]


def test_the_terms_of_the_data_set_are_those_of_the_bundle(opened):
    (terms,) = ROCrate(opened).root_dataset["license"]
    assert terms["description"] == "ask the clinic"


def test_every_word_of_the_crate_is_one_of_the_standard_s(opened):
    path = files("rocrate") / "data" / "ro-crate.jsonld"
    known = json.loads(path.read_text(encoding="utf-8"))["@context"].keys() | {"@id", "@type"}
    graph = json.loads((opened / CRATE).read_text())["@graph"]
    assert {word for entity in graph for word in entity} - known == set()
    assert {entity["@type"] for entity in graph} - known == set()


def test_no_author_is_made_up(opened):
    graph = json.loads((opened / CRATE).read_text())["@graph"]
    assert not [e for e in graph if {"author", "creator", "agent"} & set(e)]
    assert not [e for e in graph if e["@type"] in ("Person", "Organization")]


def test_a_bundle_with_its_crate_verifies_without_a_word(bundle, capsys):
    code, _, err = verify(bundle, capsys)
    assert (code, err) == (0, "")


def test_a_bundle_from_before_crates_verifies_and_says_so(bundle, capsys):
    code, out, err = verify(rewritten(bundle, {}, drop={CRATE}), capsys)
    assert code == 0
    assert out.endswith(": all as they were\n")
    assert f"no {CRATE}: it was written by a tonegap before these were" in err


def test_a_file_that_the_crate_leaves_out_is_named(bundle, capsys):
    code, out, _ = verify(rewritten(bundle, {"notes.md": b"more"}), capsys)
    assert code == 1
    assert f"{CRATE}: does not describe notes.md" in out


def test_a_crate_that_is_none_is_refused(bundle, capsys):
    code, _, err = verify(rewritten(bundle, {CRATE: b"[]"}), capsys)
    assert code == 2
    assert f"{CRATE}: not an RO-Crate" in err


def origin(**changes):
    known = {
        "suite": "s",
        "title": "S",
        "version": "1",
        "finished": "2025-01-01T00:00:00+00:00",
        "software": (),
        "stages": (),
        "licences": {},
        "n_records": 1,
        "n_holes": 0,
    }
    return Origin(**known | changes)


def test_another_digest_and_a_file_that_is_gone_are_named():
    content = crate(origin(), {"x y.csv": A, "z.csv": A}, "bundle.json")
    assert crate_problems(content, {"x y.csv": B, CRATE: A}, "bundle.json") == [
        f"{CRATE}: describes z.csv, which is not there",
        f"{CRATE}: x%20y.csv has another sha256 there than in bundle.json",
    ]


def test_a_plug_in_of_two_environments_is_two_programs():
    software = (Software("baselines/erm", A), Software("baselines/erm", B))
    graph = json.loads(crate(origin(software=software), {}, "bundle.json"))["@graph"]
    ids = [entity["@id"] for entity in graph]
    assert len(ids) == len(set(ids))
    assert sum(e["@type"] == "SoftwareApplication" for e in graph) == 3


def test_the_same_files_give_the_same_bytes():
    one = crate(origin(), {"b": A, "a": B}, "bundle.json")
    assert one == crate(origin(), {"a": B, "b": A}, "bundle.json")
