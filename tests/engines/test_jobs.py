"""What a node of a cluster does with a stage, and what a user's `slurm.toml` may say; without any cluster."""

from pathlib import Path

import msgspec
import pytest
from tiny_rooms import Rooms

from tonegap.declared.plugin import read_plugin
from tonegap.engines import open_engine
from tonegap.engines.job import run_jobs, task_of
from tonegap.engines.slurm import Site, Slurm, read_site
from tonegap.errors import BadRequest, BadSuiteFolder, EngineError
from tonegap.files import folder_digest
from tonegap.formats.stage_job import SCHEMA, EndedJob, JobArray, StageJob, read_job
from tonegap.run.cluster import work_of


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StageJob:
    """A stage that is laid out and says where it is."""
    monkeypatch.setattr("signal.signal", lambda *_: None)  # TERM belongs to the tests' own process
    rooms = Rooms(tmp_path / "root")
    folder = rooms.baseline("plain", "import sys\nopen(sys.argv[5] + '/left', 'w').write('x')\n")
    for name in ("in", "out", "tmp"):
        (tmp_path / "work" / name).mkdir(parents=True)
    plugin = read_plugin(rooms.root, "baseline", "plain")
    return StageJob(
        schema=SCHEMA,
        key="0" * 64,
        root=str(rooms.root),
        engine="local",
        plugin="baselines/plain",
        plugin_sha256=folder_digest(folder),
        environment=open_engine("local", rooms.root).environment(plugin).digest,
        stage="train",
        work=str(tmp_path / "work"),
        timeout_s=30,
        memory_mib=512,
        output_mib=10,
        threads=1,
        device="cpu",
        numerics="native",
    )


def ended(job: StageJob, folder: Path) -> EndedJob:
    path = folder / f"{job.key}.json"
    path.write_bytes(msgspec.json.encode(job))
    run_jobs([path])
    return msgspec.json.decode(path.with_suffix(".ended").read_bytes(), type=EndedJob)


def test_a_stage_leaves_how_it_ended_and_what_was_in_force(job, tmp_path):
    found = ended(job, tmp_path)
    assert (found.cause, found.text) == ("ok", "")
    assert found.isolation.engine == "local"
    assert (tmp_path / "work" / "out" / "left").read_text() == "x"


def test_what_has_ended_is_not_run_again(job, tmp_path):
    (tmp_path / f"{job.key}.ended").write_text("before")
    path = tmp_path / f"{job.key}.json"
    path.write_bytes(msgspec.json.encode(job))
    run_jobs([path])
    assert (tmp_path / f"{job.key}.ended").read_text() == "before"
    assert not (tmp_path / "work" / "out" / "left").exists()


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("plugin_sha256", "changed since the stage was planned"),
        ("environment", "has other packages"),
    ],
)
def test_a_stage_that_is_not_the_planned_one_is_refused(job, tmp_path, field, said):
    found = ended(msgspec.structs.replace(job, **{field: "other"}), tmp_path)
    assert found.cause == "engine-error"
    assert found.text.startswith("on node ")
    assert said in found.text
    assert not (tmp_path / "work" / "out" / "left").exists()


def test_a_gpu_that_slurm_did_not_give_is_said(job, tmp_path, monkeypatch):
    for name in ("SLURM_JOB_GPUS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    found = ended(msgspec.structs.replace(job, device="cuda"), tmp_path)
    assert found.cause == "engine-error"
    assert "Slurm gave the job no GPU; say in slurm.toml how to ask for it (gpu)" in found.text


def test_a_stage_is_given_as_many_gpus_as_it_wants_of_those_that_slurm_gave(
    job, tmp_path, monkeypatch
):
    monkeypatch.setenv("SLURM_JOB_GPUS", "4,5,6")
    look = (
        "import os, sys\nopen(sys.argv[5] + '/left', 'w').write(os.environ['CUDA_VISIBLE_DEVICES'])"
    )
    Rooms(tmp_path / "other").baseline("plain", look)
    folder = tmp_path / "other" / "baselines" / "plain"
    own = {"root": str(tmp_path / "other"), "plugin_sha256": folder_digest(folder)}
    found = ended(msgspec.structs.replace(job, device="cuda", gpus=2, **own), tmp_path)
    assert found.cause == "ok", found.text
    assert (tmp_path / "work" / "out" / "left").read_text() == "4,5"


def test_fewer_gpus_than_a_stage_wants_are_said(job, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_GPUS", "4")
    found = ended(msgspec.structs.replace(job, device="cuda", gpus=2), tmp_path)
    assert found.cause == "engine-error"
    assert "Slurm gave the job 1 of 2 GPUs; say in slurm.toml how to ask for it" in found.text


def test_a_job_that_an_earlier_version_queued_has_one_gpu(job, tmp_path):
    path = tmp_path / "stage.json"
    fields = msgspec.to_builtins(job)
    del fields["gpus"]
    path.write_bytes(msgspec.json.encode(fields))
    assert read_job(path).gpus == 1


def test_a_task_has_its_own_stages(tmp_path):
    array = JobArray((("a" * 64, "b" * 64), ("c" * 64,)))
    (tmp_path / "array.json").write_bytes(msgspec.json.encode(array))
    assert task_of(tmp_path, "1") == [tmp_path / f"{'c' * 64}.json"]
    for index in ("2", "", "x", "-1"):
        with pytest.raises(BadRequest, match=f"no task '{index}' of an array"):
            task_of(tmp_path, index)


def test_a_task_names_keys_and_no_paths(tmp_path):
    (tmp_path / "array.json").write_text('{"tasks":[["../../../etc/passwd"]]}')
    with pytest.raises(BadRequest, match="no task '0' of an array"):
        task_of(tmp_path, "0")


@pytest.mark.parametrize("plugin", ["none", "methods/none/x", "/", "baselines/"])
def test_a_job_of_no_plug_in_is_no_job(job, tmp_path, plugin):
    with pytest.raises(BadRequest, match="no stage to run"):
        ended(msgspec.structs.replace(job, plugin=plugin), tmp_path)


def test_a_job_of_an_unknown_kind_of_plug_in_ends_in_one_sentence(job, tmp_path):
    found = ended(msgspec.structs.replace(job, plugin="x/none"), tmp_path)
    assert (found.cause, "x/none: no plug-in" in found.text) == ("engine-error", True)


@pytest.mark.parametrize("work", ["/x/y/..", "..", ".", "/", "/store/work/other", ""])
def test_a_work_folder_is_one_of_the_jobs_stage(job, tmp_path, work):
    with pytest.raises(BadRequest, match="is no work folder of its stage"):
        work_of(tmp_path, msgspec.structs.replace(job, work=work))
    name = f"{job.key[:16]}.x_1"
    own = msgspec.structs.replace(job, work=f"/elsewhere/work/{name}")
    assert work_of(tmp_path, own) == tmp_path / "work" / name


def test_a_file_that_is_no_stage_is_refused(tmp_path):
    path = tmp_path / "stage.json"
    path.write_text("{}")
    with pytest.raises(BadRequest, match="no stage to run"):
        read_job(path)


class TestSite:
    @pytest.fixture
    def site(self, tmp_path, monkeypatch):
        path = tmp_path / "slurm.toml"
        monkeypatch.setenv("TONEGAP_SLURM", str(path))
        return path

    def test_it_is_read_from_the_file_that_is_named(self, site):
        site.write_text('sbatch = ["--account=lab"]\npack = 20\n')
        assert read_site() == Site(sbatch=("--account=lab",), pack=20)

    def test_gpus_are_asked_for_by_their_number(self):
        assert [Site().gpu_words(n) for n in (0, 1, 4)] == [(), ("--gpus=1",), ("--gpus=4",)]
        own = Site(gpu=("--gres=gpu:a100:{n}", "-C{ib}"))
        assert own.gpu_words(2) == ("--gres=gpu:a100:2", "-C{ib}")
        assert Site(gpu=("--gres=gpu:1",)).gpu_words(1) == ("--gres=gpu:1",)

    def test_words_for_one_gpu_are_refused_where_several_are_wanted(self, site):
        words = "slurm.toml: gpu: found '--gres=gpu:1' and --gpus-per-stage 2, wanted {n} where the"
        with pytest.raises(BadRequest, match=words):
            Site(gpu=("--gres=gpu:1",)).gpu_words(2)

    def test_without_a_file_every_setting_has_its_default(self, monkeypatch, tmp_path):
        monkeypatch.delenv("TONEGAP_SLURM", raising=False)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        assert read_site() == Site()

    def test_a_setting_that_there_is_not_names_those_there_are(self, site):
        site.write_text("partition = 'gpu'\n")
        with pytest.raises(
            BadSuiteFolder, match="unknown key `partition`; known keys are sbatch, gpu"
        ):
            read_site()

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("pack = 0", "pack: found 0, wanted a number above 0, at most 100,000"),
            ("gone_s = nan", "gone_s: found nan, wanted a number above 0"),
            ("poll_s = 1e9", "poll_s: found 1000000000.0, wanted a number above 0, at most 3,600"),
            ('sbatch = ["--wrap=true"]', "sbatch: found '--wrap=true', which tonegap gives itself"),
            ('sbatch = ["-a0-3"]', "sbatch: found '-a0-3', which tonegap gives itself"),
        ],
    )
    def test_a_setting_that_cannot_be_is_refused_with_what_was_found(self, site, text, said):
        site.write_text(text + "\n")
        with pytest.raises(BadRequest, match=said):
            read_site()

    def test_a_machine_without_a_cluster_is_one_sentence(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(EngineError, match="no cluster answers here; run on a login node"):
            Slurm(Site()).check()
