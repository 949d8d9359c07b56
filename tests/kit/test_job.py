from collections.abc import Callable
from pathlib import Path

import pytest

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.job import read_job

MakeStage = Callable[..., Stage]


def test_parameters_come_back_with_their_types(make_stage: MakeStage) -> None:
    job = make_stage({"n": 3, "x": 0.5, "w": "cnn4", "f": True, "l": ["V", "VI"]}).job
    assert (job.integer("n"), job.real("x"), job.text("w"), job.flag("f")) == (3, 0.5, "cnn4", True)
    assert job.words("l") == ("V", "VI")


def test_a_whole_number_is_a_real_number_but_true_is_no_whole_number(make_stage: MakeStage) -> None:
    job = make_stage({"lr": 1, "epochs": True}).job
    assert job.real("lr") == 1.0
    with pytest.raises(StageError, match="parameter epochs is True, wanted a value of type int"):
        job.integer("epochs")


def test_a_missing_parameter_is_named(make_stage: MakeStage) -> None:
    with pytest.raises(StageError, match="parameter epochs is missing"):
        make_stage().job.integer("epochs")


def test_a_job_of_another_contract_is_refused(make_stage: MakeStage) -> None:
    with pytest.raises(StageError, match="contract is 2, this kit speaks version 1"):
        make_stage(contract=2)


def test_a_job_without_a_seed_is_refused(make_stage: MakeStage) -> None:
    with pytest.raises(StageError, match="seed is None"):
        make_stage(seed=None)


def test_a_job_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("{")
    with pytest.raises(StageError, match="cannot be read as JSON"):
        read_job(tmp_path / "job.json")


def test_draws_for_one_purpose_do_not_depend_on_those_for_another(make_stage: MakeStage) -> None:
    stage = make_stage()
    alone = stage.rng("order").random(3).tolist()
    stage.rng("noise").random(100)
    assert stage.rng("order").random(3).tolist() == alone
    assert stage.rng("noise").random(3).tolist() != alone
    assert make_stage(seed=1).rng("order").random(3).tolist() != alone


def test_a_file_parameter_is_found_by_its_name_alone(make_stage: MakeStage) -> None:
    stage = make_stage({"weights": "/home/me/w.pt#sha256=00", "other": "none"})
    (stage.inputs / "files").mkdir()
    with pytest.raises(StageError, match=r"w\.pt: there is no such file"):
        stage.file("weights")
    (stage.inputs / "files" / "w.pt").write_bytes(b"")
    assert stage.file("weights") == stage.inputs / "files" / "w.pt"
    assert stage.file("other") is None
