"""Parameters that are folders: given with a digest, found under their name, relative to the suite root."""

import os
from hashlib import sha256

import pytest

from tonegap.declared.local_files import local_digest
from tonegap.declared.suite import read_suite, with_parameters
from tonegap.errors import BadData, BadSuiteFolder
from tonegap.run import local_files
from tonegap.run.inputs import write_inputs


@pytest.fixture
def pipeline(planner):
    """A folder in the suite root, and a baseline that takes one."""
    spec = {"default": "none", "about": "pipeline", "kind": "folder"}
    planner.rooms.baseline("plain", parameters={"pipeline": spec})
    folder = planner.rooms.root / "models" / "tiny"
    (folder / "unet").mkdir(parents=True)
    (folder / "unet" / "weights").write_bytes(b"1234")
    (folder / "index.json").write_text("{}")
    return folder


def give(planner, path, digest):
    values = {"pipeline": f"{path}#sha256={digest}"}
    planner.suite(method="none", parameters={"baselines": values})


def test_the_digest_of_a_folder_is_over_its_relative_paths_and_contents(pipeline):
    lines = [
        f"index.json\0{sha256(b'{}').hexdigest()}\n",
        f"unet/weights\0{sha256(b'1234').hexdigest()}\n",
    ]
    assert local_digest(pipeline) == sha256("".join(lines).encode()).hexdigest()


@pytest.mark.parametrize("target", ["../elsewhere", "../nowhere"])
def test_a_part_that_is_a_link_to_a_folder_has_no_digest_as_no_stage_would_get_it(pipeline, target):
    (pipeline.parent / "elsewhere").mkdir()
    (pipeline / "vae").symlink_to(target)
    with pytest.raises(
        BadData, match="tiny/vae: a link to a folder, or to nothing; put there what"
    ):
        local_digest(pipeline)


def test_a_relative_path_starts_from_the_suite_root_and_the_stage_finds_the_folder(
    planner, pipeline, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    give(planner, "models/tiny", local_digest(pipeline))
    stage = planner.stages()["train"]
    write_inputs(planner.store, stage, 60, tmp_path / "in")
    assert (tmp_path / "in" / "files" / "tiny" / "unet" / "weights").read_bytes() == b"1234"
    assert stage.parameters["pipeline"] == f"tiny#sha256={local_digest(pipeline)}"


def test_a_folder_on_another_disk_is_copied_once(planner, pipeline, tmp_path, monkeypatch):
    give(planner, "models/tiny", local_digest(pipeline))
    stage = planner.stages()["train"]
    link = os.link

    def refuse(source, target, **options):
        if str(source).startswith(str(pipeline)):
            raise OSError(18, "Invalid cross-device link")
        link(source, target, **options)

    monkeypatch.setattr(local_files.os, "link", refuse)
    for name in ("one", "two"):
        write_inputs(planner.store, stage, 60, tmp_path / name)
    weights = [tmp_path / n / "files" / "tiny" / "unet" / "weights" for n in ("one", "two")]
    assert weights[0].read_bytes() == b"1234"
    assert weights[0].stat().st_ino == weights[1].stat().st_ino


def test_links_inside_come_as_plain_files(planner, pipeline, tmp_path):
    (tmp_path / "blob").write_bytes(b"blob")
    (pipeline / "linked").symlink_to(tmp_path / "blob")
    give(planner, "models/tiny", local_digest(pipeline))
    write_inputs(planner.store, planner.stages()["train"], 60, tmp_path / "in")
    found = tmp_path / "in" / "files" / "tiny" / "linked"
    assert found.read_bytes() == b"blob"
    assert not found.is_symlink()


def test_other_content_is_refused(planner, pipeline):
    give(planner, "models/tiny", local_digest(pipeline))
    (pipeline / "unet" / "weights").write_bytes(b"4321")
    with pytest.raises(BadSuiteFolder, match="another folder than the one asked for"):
        planner.plan()


def test_a_file_where_a_folder_is_wanted_is_refused(planner, pipeline):
    give(planner, "models/tiny/index.json", sha256(b"{}").hexdigest())
    with pytest.raises(BadSuiteFolder, match="no such folder"):
        planner.plan()


def test_a_relative_path_on_the_command_line_starts_from_the_current_folder(
    planner, pipeline, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    planner.suite(method="none")
    suite = read_suite(planner.rooms.root, "tiny")
    digest = "0" * 64
    changed = with_parameters(suite, (f"baselines.pipeline=here/tiny#sha256={digest}",))
    value = changed.file.parameters["baselines"]["pipeline"]
    assert value == f"{tmp_path}/here/tiny#sha256={digest}"


def test_digest_prints_what_a_suite_wants(tonegap, pipeline):
    assert tonegap("digest", pipeline) == 0
    assert tonegap.out == f"{pipeline}#sha256={local_digest(pipeline)}\n"
    assert tonegap("digest", pipeline / "index.json") == 0
    assert tonegap.out.endswith(f"#sha256={sha256(b'{}').hexdigest()}\n")
