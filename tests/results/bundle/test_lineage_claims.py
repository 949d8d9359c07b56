"""What a record says of its synthetic images is held against their own list and lineage in the bundle."""

import msgspec
import pytest
from records import part, plain_record

from tonegap.files import digest_of, sha256_file
from tonegap.formats.lineage import SyntheticLineage, encode_lineage
from tonegap.formats.record import StageId, SyntheticId
from tonegap.formats.truth import TaskTruth
from tonegap.results.bundle.recomputed import _synthetic_problems
from tonegap.store.layout import stage_unit

KEY = "5" * 64
TRUTH = TaskTruth(part("v", 2), part("t", 4))
MADE_FROM = (
    "the record counts what the synthetic images were made from otherwise than their lineage does"
)


@pytest.fixture
def bundle(tmp_path):
    """A folder with a set of two images and a record of it; `sources` are the ids that each descends from."""

    def make(*sources, **says):
        folder = tmp_path / stage_unit(KEY)
        folder.mkdir(parents=True, exist_ok=True)
        rows = [f"s{i},s{i}.png,benign,V,,,{' '.join(of)}" for i, of in enumerate(sources)]
        header = "image_id,file,label,tone,prompt,seed,sources"
        (folder / "synthetic.csv").write_text("\n".join([header, *rows, ""]))
        n = len(sources)
        ids = tuple(f"s{i}" for i in range(n))
        lineage = SyntheticLineage(
            "tonegap/lineage@1", ids, ("a" * 64,) * n, tuple(sources), ((),) * n, {}
        )
        (folder / "lineage.json").write_bytes(encode_lineage(lineage))
        digest = digest_of(
            [sha256_file(folder / name) for name in ("synthetic.csv", "lineage.json")]
        )
        synthetic = SyntheticId(n, {"V": n}, digest, n_sources=2)
        stage = StageId("generate", "methods/paint", KEY, "e" * 64)
        return tmp_path, plain_record(
            synthetic=msgspec.structs.replace(synthetic, **says), stages=(stage,)
        )

    return make


def problems(made):
    return list(_synthetic_problems(*made, TRUTH))


def test_a_set_of_training_images_has_none(bundle):
    assert problems(bundle(("a",), ("b",))) == []


def test_a_set_that_descends_from_test_or_validation_images_is_named(bundle):
    assert problems(bundle(("a",), ("b", "t1"), n_sources=3)) == [
        "1 synthetic images descend from validation or test images"
    ]
    assert problems(bundle(("v0",), ("t1",))) == [
        "2 synthetic images descend from validation or test images"
    ]


def test_a_task_that_shows_copies_as_published_may_have_such(bundle, tmp_path):
    made = bundle(("a",), ("t1",))
    path = tmp_path / "specs/benchmarks/d/tasks/t.toml"
    path.parent.mkdir(parents=True)
    path.write_text("[leaks]\nmethods_see_duplicates = true\n")
    assert problems(made) == []
    path.write_text("[leaks]\nmethods_see_duplicates = false\n")
    assert problems(made) != []


@pytest.mark.parametrize("says", [{"n_sources": 9}, {"n_unknown": 1}, {"n_unnamed": 1}])
def test_counts_that_the_lineage_does_not_give_are_named(bundle, says):
    assert problems(bundle(("a",), ("b",), **says)) == [MADE_FROM]


def test_images_without_a_source_must_be_counted_unless_the_method_works_from_text(
    bundle, tmp_path
):
    made = bundle((), ("b",), n_sources=1)
    assert problems(made) == [MADE_FROM]
    assert problems(bundle((), ("b",), n_sources=1, n_unnamed=1)) == []
    path = tmp_path / "specs/methods/none/method.toml"
    path.parent.mkdir(parents=True)
    path.write_text('made_from = "text"\n')
    assert problems(made) == []
