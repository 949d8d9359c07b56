"""What an image is made from, and what a change anywhere in it reaches."""

import pytest
from images_root import PROJECT, write

from tonegap.engines.images.build import build_order
from tonegap.engines.images.dockerfile import named_base, plain_steps, references
from tonegap.engines.images.recipe import (
    image_names,
    read_recipe,
    source_sha256,
)
from tonegap.errors import EngineError

LOCAL = "base-local"
ALL = (
    "base-cuda", "base-diffusion", "base-features", "base-local", "base-torch",
    "baselines/first", "baselines/second", "methods/drawn",
)  # fmt: skip
PIN = "somewhere/python@sha256:" + "a" * 64


def sources(root, foundation=LOCAL):
    recipes = {name: read_recipe(root, name, foundation) for name in image_names(root)}
    return {name: source_sha256(root, recipe, foundation) for name, recipe in recipes.items()}


def changed(root, path, text="\n# changed\n"):
    """Names of the images whose sources change when a file does."""
    before = sources(root)
    (root / path).write_text((root / path).read_text() + text)
    after = sources(root)
    return {name for name in before if before[name] != after[name]}


def test_images_are_the_bases_and_the_plug_ins_with_stages(root):
    assert image_names(root) == list(ALL)


def test_a_changed_plug_in_changes_its_image_alone(root):
    assert changed(root, "baselines/first/train.py") == {"baselines/first"}


def test_a_changed_dockerfile_changes_its_image_alone(root):
    assert changed(root, "methods/drawn/Dockerfile") == {"methods/drawn"}


@pytest.mark.parametrize(
    "path",
    ["docker/kit/tonegap_kit/job.py", "docker/locks/kit.txt", "docker/base-cuda/image.toml"],
)
def test_what_base_cuda_holds_changes_every_image_above_it(root, path):
    assert changed(root, path) == set(ALL) - {"base-local", "base-torch"}


@pytest.mark.parametrize("path", ["docker/base-torch/image.toml", "docker/locks/torch.txt"])
def test_a_torch_of_wheels_changes_what_stands_on_it(root, path):
    assert changed(root, path) == {"base-torch"}
    before = sources(root, "base-torch")
    (root / path).write_text((root / path).read_text() + "\n# again\n")
    after = sources(root, "base-torch")
    assert {name for name in before if before[name] != after[name]} == set(ALL) - {"base-local"}


@pytest.mark.parametrize("path", ["docker/base-diffusion/image.toml", "docker/locks/diffusion.txt"])
def test_what_base_diffusion_adds_changes_only_what_stands_on_it(root, path):
    assert changed(root, path) == {"base-diffusion", "base-features", "methods/drawn"}


@pytest.mark.parametrize("path", ["docker/base-features/image.toml", "docker/locks/features.txt"])
def test_what_base_features_adds_changes_nothing_else(root, path):
    assert changed(root, path) == {"base-features"}


def test_the_root_file_system_changes_every_image(root):
    assert changed(root, "docker/base-local/rootfs.sh") == set(ALL)


@pytest.mark.parametrize("path", ["docker/README.md", "docker/CONTRACT.md", "docker/engine.sh"])
def test_what_no_image_holds_changes_none(root, path):
    assert changed(root, path) == set()


def test_another_foundation_makes_other_images_of_all_that_have_the_kit(root):
    local, other = sources(root), sources(root, PIN)
    assert {name for name in local if local[name] == other[name]} == {"base-local", "base-torch"}


def test_bases_come_before_what_stands_on_them_and_once(root):
    names = ["methods/drawn", "baselines/first"]
    wanted = ["base-local", "base-cuda", "base-diffusion", "methods/drawn", "baselines/first"]
    assert build_order(root, names, LOCAL) == wanted


def test_no_names_mean_all_plug_ins_and_only_the_bases_they_need(root):
    (root / "methods" / "drawn" / "method.toml").unlink()
    wanted = ["base-local", "base-cuda", "baselines/first", "baselines/second"]
    assert build_order(root, (), LOCAL) == wanted


def test_an_unknown_name_is_answered_with_those_there_are(root):
    with pytest.raises(EngineError, match=r"no image 'baselines/third'.*baselines/first"):
        read_recipe(root, "baselines/third", LOCAL)


@pytest.mark.parametrize("slip", ["first", "baselines/first/", "methods/first"])
def test_a_name_without_its_folder_or_with_another_is_answered_with_the_right_one(root, slip):
    with pytest.raises(EngineError, match="did you mean 'baselines/first'"):
        read_recipe(root, slip, LOCAL)


def test_a_base_without_a_digest_is_refused(root):
    write(root / "baselines/first/Dockerfile", "FROM python:3.11\n")
    with pytest.raises(EngineError, match=r"FROM python:3.11: wanted"):
        read_recipe(root, "baselines/first", LOCAL)


def test_a_plug_in_may_stand_on_a_pinned_image_of_its_own(root):
    write(root / "baselines/first/Dockerfile", f"FROM {PIN}\n")
    assert read_recipe(root, "baselines/first", LOCAL).base == PIN


def test_a_plug_in_with_requirements_of_its_own_has_them_before_all_others(root):
    write(root / "baselines/first/requirements.txt", "")
    recipe = read_recipe(root, "baselines/first", LOCAL)
    assert [path.name for path in recipe.locks] == ["requirements.txt"]
    assert recipe.env == {"PYTHONPATH": "/opt/own:${PYTHONPATH}"}


def test_a_plug_in_without_a_dockerfile_is_its_files_on_the_base(root):
    with_one = read_recipe(root, "baselines/first", LOCAL)
    (root / "baselines/first/Dockerfile").unlink()
    without = read_recipe(root, "baselines/first", LOCAL)
    assert (
        (without.base, without.workdir)
        == (with_one.base, with_one.workdir)
        == ("base-cuda", "/plugin")
    )
    assert set(without.layers[0].files) == {"/plugin/baseline.toml", "/plugin/train.py"}


FILES = {name: PROJECT / name for name in ("a.py", "b.txt", "data/c.csv")}
HEAD = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n"


@pytest.mark.parametrize(
    ("line", "inside"),
    [("COPY . /plugin", ["/plugin/a.py", "/plugin/b.txt", "/plugin/data/c.csv"]),
     ("COPY a.py /plugin/", ["/plugin/a.py"]), ("COPY a.py /x.py", ["/x.py"]),
     ("COPY a.py b.txt /x", ["/x/a.py", "/x/b.txt"]), ("COPY data /x", ["/x/c.csv"])],
)  # fmt: skip
def test_copies_are_written_where_docker_would(line, inside):
    assert sorted(plain_steps(HEAD + line, FILES).files) == inside


def test_variables_and_the_folder_to_start_in_are_read():
    steps = plain_steps(HEAD + "ENV A=1 B='two words'\n# no more\nWORKDIR /plugin\n", FILES)
    assert (steps.env, steps.workdir) == ({"A": "1", "B": "two words"}, "/plugin")


@pytest.mark.parametrize(
    "line",
    ["RUN true", "COPY --from=x a.py /x", "COPY *.py /x/", "COPY gone.py /x", "COPY a.py x", "USER 0",
     "WORKDIR plugin", "ENV A 1", "FROM ${BASE_IMAGE}", "ENTRYPOINT [\"x\"]", "VOLUME /x"],
)  # fmt: skip
def test_what_is_more_than_files_variables_and_a_folder_is_left_to_an_engine(line):
    assert plain_steps(HEAD + line, FILES) is None


def test_stages_of_a_build_are_no_references():
    text = f"ARG BASE_IMAGE=x\nFROM ${{BASE_IMAGE}} AS one\nFROM {PIN} AS two\nFROM one\n"
    assert references(text) == [PIN]


def test_the_default_of_the_argument_names_the_base():
    assert named_base("ARG BASE_IMAGE=base-diffusion\nFROM ${BASE_IMAGE}\n") == "base-diffusion"


def test_the_kit_and_its_lock_are_in_base_cuda_only(root):
    on = {name: read_recipe(root, name, LOCAL) for name in ("base-cuda", "base-diffusion")}
    assert "kit/tonegap_kit/job.py" in on["base-cuda"].files
    assert [path.name for path in on["base-cuda"].locks] == ["kit.txt"]
    assert [path.name for path in on["base-diffusion"].locks] == ["diffusion.txt"]
    assert not any(name.startswith("kit/") for name in on["base-diffusion"].files)
