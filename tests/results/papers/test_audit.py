"""What reported numbers can be, by hand; and the known findings of the papers that are here, unaided."""

import csv
import io
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from tonegap.cli.main import main
from tonegap.declared.paper import (
    AssumedSets,
    PaperColumn,
    PaperRow,
    PaperTable,
    paper_keys,
    read_paper,
)
from tonegap.report.audit_text import audit_tally
from tonegap.results.papers.audit import audit_paper, audit_table
from tonegap.scores.evidence import grim as could
from tonegap.scores.evidence.grim import OneSet, Rounded
from tonegap.scores.evidence.grimmer import spread_fits

ROOT = Path(__file__).parents[3]
IMPOSSIBLE = "impossible under named assumptions"


def share(percent, spread=None, half=0.05):
    return Rounded(percent / 100, half / 100, None if spread is None else spread / 100)


@pytest.fixture(scope="module")
def found():
    """Every finding of a paper, made once."""
    kept = {}

    def of(key):
        if key not in kept:
            kept[key] = audit_paper(read_paper(ROOT, key))
        return kept[key]

    return of


def test_a_share_has_the_counts_that_round_to_it():
    # 37/43 is 86.0465 %: 86.0, never 86.1.
    assert list(could.counts_of(share(86.0), 43)) == [37]
    assert list(could.counts_of(share(86.1), 43)) == []
    # A tie may be rounded either way: 1/8 is 12.5 %, so 12 or 13.
    assert (
        list(could.counts_of(share(12, half=0.5), 8))
        == list(could.counts_of(share(13, half=0.5), 8))
        == [1]
    )


def test_a_spread_is_rounded_by_its_own_digits(tmp_path, capsys):
    # 35, 31, 38, 31, 37 of 44: 172/220 = 78.18 %; squares 5960 - 172^2/5 = 43.2: sd sqrt(43.2/4)/44 = 7.47 % of a
    # sample, sqrt(43.2/5)/44 = 6.680 % of all five: 6.7. To 0.005 no counts have 6.70.
    assert spread_fits(Rounded(0.7818, 5e-5, 0.067, 5e-4), 44, 5)
    assert not spread_fits(Rounded(0.7818, 5e-5, 0.067), 44, 5)
    path = tmp_path / "sd.csv"
    path.write_text("row,accuracy:V-VI\nm,78.18±6.7\n")
    code, said = run(capsys, "audit-table", path, "--sets", "5", "--images", "accuracy:V-VI=44")
    assert code == 0
    assert IMPOSSIBLE not in said.out


def test_a_test_set_is_found_from_rounded_shares():
    # 9/10 and 6/8, 15/18 in all.
    sets = could.one_sets([share(90.0), share(75.0)], [18], share(83.3), share(83.3))
    assert OneSet((10, 8), (9, 6)) in sets
    assert could.one_sets([share(90.0), share(75.0)], [18], share(83.3), share(90.0)) == []


def test_positive_images_follow_from_dpm_and_eom():
    # 10 and 10 images, 4 and 2 positive; recognised 2 of 4 and 2 of 2; rejected 6 of 6 and 7 of 8.
    # EOM (.5/1 + .875/1) / 2 = .6875; predicted positive .2 and .3: DPM (.2/.3 + .7/.8) / 2 = .77083.
    row = OneSet((10, 10), (8, 9))
    every = could.positives_of(row, [range(1, 6)] * 2, Rounded(0.7708, 5e-5), Rounded(0.6875, 5e-5))
    assert every[4, 2] == (2, 2)


def test_a_mean_ratio_lies_within_what_spreads_allow():
    # Without spreads every set has 80 and 90 %: the ratio is .8889, and rounding leaves .8878 to .8900.
    low, high = could.ratio_range([share(80.0, 0.0), share(90.0, 0.0)], 5)
    assert 0.880 < low < 0.8878
    assert 0.8900 < high < 0.898
    # Twice 75 and twice 85 % beside 85 and 95 % are .8886 in the mean, beside 95 and 85 % .8947.
    wider = could.ratio_range([share(80.0, 5.0), share(90.0, 5.0)], 4)
    assert wider[0] < (75 / 85 + 85 / 95) / 2
    assert wider[1] > (75 / 95 + 85 / 85) / 2


def test_a_true_mean_pqd_is_never_impossible(tmp_path, capsys):
    # Of 10 images a tone, right by set: 10/10/10, 10/10/9, 9/8/5, 10/10/10, 5/6/7. The lowest over the highest is
    # 1, .9, .5556, 1, .7143: 83.4 % in the mean.
    path = tmp_path / "true.csv"
    path.write_text(
        "row,accuracy,accuracy:I-II,accuracy:III-IV,accuracy:V-VI,pqd\n"
        "m,86.0±16.4,88.0±19.4,88.0±16.0,82.0±19.4,83.4±17.4\n"
    )
    code, said = run(capsys, "audit-table", path, "--sets", "5")
    assert code == 0
    assert IMPOSSIBLE not in said.out


@pytest.mark.parametrize("tones", [2, 3])
def test_tables_of_tones_that_share_each_sets_difficulty_are_within_bounds(tones):
    rng = np.random.default_rng(tones)
    for _ in range(2):
        n = rng.integers(8, 40)
        chance = np.clip(rng.uniform(0.6, 0.9) + rng.normal(0, 0.15, (5, 1)), 0.3, 1)
        x = rng.binomial(n, chance, (5, tones)) / n
        sd = x.std(axis=0, ddof=int(rng.integers(2)))
        shown = [
            share(*np.round((100 * m, 100 * s), 1)) for m, s in zip(x.mean(axis=0), sd, strict=True)
        ]
        low, high = could.ratio_range(shown, 5)
        assert low <= (x.min(axis=1) / x.max(axis=1)).mean() <= high


def test_f1_of_one_positive_and_one_negative():
    # TP 0 or 1, FP 0 or 1: 0, 2/2, 2/3.
    assert could.f1_values((1, 1)).tolist() == pytest.approx([0, 2 / 3, 1])
    assert could.f1_sizes([Rounded(0.67, 0.005), Rounded(0.0, 0.005)], 3)[0] == (1, 1)


def test_a_lead_of_nothing_is_luck_in_half():
    assert could.luck(share(80.0), share(80.0), 100, 0.5) == pytest.approx(0.5)
    # 90 against 80 of 100, independent: sqrt(.09 + .16) / 10 = 5 points, two standard errors.
    assert could.luck(share(90.0), share(80.0), 100, 0.0) == pytest.approx(0.0228, abs=1e-4)
    # Five sets, a fifth held out: sqrt((1/5 + 1/4) * 5/4 * (1 + 1)) = 1.0607 points.
    p = could.luck_over_sets(share(82.12, 1.0), share(80.0, 1.0), 5, 0.25)
    assert p == pytest.approx(0.058, abs=1e-3)  # t = 2 of 4 degrees of freedom


def test_main_rows_of_cgddi_fit_one_split_with_its_malignant_images(found):
    ours = [f for f in found("cgddi") if f.table == "main"]
    single = {
        f.row: f for f in ours if f.test == "one test set" and f.verdict.startswith("improbable")
    }
    assert set(single) == {"cgDDI, synthetic alone", "cgDDI, synthetic then real"}
    assert "45/44/43 images with 40/37/37 right" in single["cgDDI, synthetic alone"].why
    assert "45/44/43 images with 42/38/40 right" in single["cgDDI, synthetic then real"].why
    (ratios,) = [f for f in ours if f.test == "DPM and EOM of one test set"]
    assert "one gives them, 11/10/5, recognised 8/5/3 and 10/7/4" in ratios.why


def test_two_cells_of_cgddis_cross_table_are_off_by_a_digit(found):
    cross = [f for f in found("cgddi") if f.table == "cross"]
    assert {(f.row, f.column) for f in cross if f.verdict == IMPOSSIBLE} == {
        ("Mix to F17k, synthetic", "Mean"),
        ("Mix to DDI, synthetic", "Mean"),
    }
    sizes = [f.why for f in cross if f.test == "one test set, searched"]
    assert "35 of 36 cells fit 43 images (15/17/11 by tone)" in sizes[0]
    assert "23 of 24 cells fit 113 images (28/45/40 by tone)" in sizes[1]


def test_five_folds_of_131_images_do_not_give_two_means(found):
    folds = [f for f in found("cgddi") if "131 images, as the text" in f.assumed]
    shares = [f for f in folds if f.test == "counts behind a share" and f.verdict == IMPOSSIBLE]
    assert [f.row for f in shares] == ["PatchAlign, real", "cgDDI, synthetic then real"]


def test_the_pqd_of_patchaligns_resnet_lies_outside_what_its_tones_allow(found):
    ours = found("patchalign")
    (pqd,) = [f for f in ours if f.verdict == IMPOSSIBLE]
    assert (pqd.row, pqd.column) == ("ResNet-18", "PQD")
    # Five values can have 82.1 to 83.5 %, and none beyond these bounds; 77.0 % are reported.
    assert "no mean PQD outside 80.46 % to 85.21 %" in pqd.why
    even = {(f.row, f.column): f.p for f in ours if f.test == "spread too small"}
    assert even["FairDisCo", "Light"] < 1e-5
    lead = {f.column: f for f in ours if f.test == "claim of outperformance"}
    assert "p 0.20 / 0.12 / 0.033" in lead["Mean"].why
    assert lead["Dark"].verdict == "luck not excluded"


def test_fedds_f1_are_those_of_five_and_five_images(found):
    (f1,) = [f for f in found("fedd") if f.test == "F1 denominators"]
    assert "all 56 F1 fit 5 positive and 5 negative images, and no smaller number" in f1.why


@pytest.mark.parametrize(
    ("options", "said"),
    [
        # V-VI has but 1, which one positive and one negative image give.
        ((), ["I-II", "V-VI"]),
        (("--images", "f1:I-II=3"), ["V-VI"]),
        (("--sets", "5"), []),
    ],
)
def test_f1_of_two_tones_are_of_two_test_sets(tmp_path, capsys, options, said):
    path = tmp_path / "f1.csv"
    cells = ("0.67,1.00", "0.50,1.00", "0.00,1.00", "1.00,1.00")
    lines = [f"{name},{row}" for name, row in zip("ABCD", cells, strict=True)]
    path.write_text("\n".join(["row,f1:I-II,f1:V-VI", *lines]), encoding="utf-8")
    code, shown = run(capsys, "audit-table", path, "--format", "json", *options)
    assert code == 0
    found = json.loads(shown.out)["papers"][0]["findings"]
    whys = [f["why"] for f in found if f["test"] == "F1 denominators"]
    assert [why.split(" fit ")[0] for why in whys] == [f"all 4 F1 of {tone}" for tone in said]
    assert all("1 positive and 1 negative" in why for why in whys if "V-VI" in why)


def test_a_mean_of_sets_without_anything_right_warns_of_nothing(tmp_path, capsys):
    path = tmp_path / "zero.csv"
    path.write_text("row,accuracy:I-II,accuracy:V-VI,pqd\nours,0.0,0.0,0.0\nB,80.0,70.0,87.5\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code, said = run(capsys, "audit-table", path, "--total", "20", "--sets", "5")
    assert code == 0
    assert IMPOSSIBLE not in said.out


def test_grohs_overall_scores_hold_images_of_unknown_tone(found):
    ours = {f.row: f.why for f in found("groh-2021") if f.test == "mean of the tones"}
    assert (
        "153 images of unknown tone, these have 32.03 % to 33.33 %"
        in ours["Source A (tested on Atlas Dermatologico)"]
    )
    assert (
        "412 images of unknown tone, these have 16.26 % to 21.12 %"
        in ours["Source B (tested on DermaAmin)"]
    )
    sums = [f.verdict for f in found("groh-2021") if f.test == "sums"]
    assert sums == ["possible"] * 7


def test_scps_eodd_is_what_equal_recall_reports(found):
    (odds,) = [f for f in found("scp-2024") if f.test == "null of Eodd"]
    assert odds.verdict == "within what equal tones print"
    assert "report 0.160" in odds.why


def test_nothing_of_fairdiscos_own_numbers_is_impossible(found):
    assert IMPOSSIBLE not in {f.verdict for f in found("fairdisco")}


def test_a_null_is_beside_the_gap_of_equal_tones(found):
    gap = {f.row: f for f in found("cgddi") if f.table == "main" and f.test == "null of gap"}
    assert gap["cgDDI, synthetic then real"].verdict == "within what equal tones print"
    assert gap["FairDisCo, real"].verdict == "beyond what equal tones print"


def test_twelve_papers_and_more_can_be_audited():
    assert len(paper_keys(ROOT)) >= 12


def test_a_table_without_numbers_says_so():
    rows = (PaperRow("a", ("?",), not_comparable="unknown"),)
    table = PaperTable("t", "", "scores", "", "percent", (PaperColumn("x", "accuracy"),), rows)
    (only,) = audit_table(table, {})
    assert only.verdict == "not testable"
    entered = audit_table(
        PaperTable(
            "t",
            "",
            "scores",
            "",
            "percent",
            table.columns,
            rows,
            sets=(AssumedSets("3 images", images={"x": 3}),),
        ),
        {("t", "a", "x"): "50.0"},
    )
    assert IMPOSSIBLE in {f.verdict for f in entered}
    assert audit_tally(entered).startswith("1 ")


@pytest.fixture
def table_file(tmp_path):
    path = tmp_path / "ours.csv"
    path.write_text(
        "row,accuracy,accuracy:I-II,accuracy:V-VI,pqd\nA,86.1,86.7,81.8,94.4\nB,86.0,86.7,81.8,94.4\n"
    )
    return path


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(list(map(str, arguments)))
    return stopped.value.code, capsys.readouterr()


def test_anybodys_table_is_audited(table_file, capsys):
    code, said = run(
        capsys, "audit-table", table_file, "--images", "accuracy=43", "--format", "json"
    )
    assert code == 0
    (paper,) = json.loads(said.out)["papers"]
    assert [(f["row"], f["column"]) for f in paper["findings"] if f["verdict"] == IMPOSSIBLE] == [
        ("A", "accuracy")
    ]
    code, said = run(
        capsys, "audit-table", table_file, "--images", "accuracy=43", "--format", "csv"
    )
    assert {line["paper"] for line in csv.DictReader(io.StringIO(said.out))} == {"ours"}
    code, said = run(capsys, "audit-table", table_file)
    assert "# Audit of ours" in said.out


def test_a_gap_and_a_worst_tone_are_no_tones(tmp_path, capsys):
    # 13/15, 18/22: the PQD is (18/22) / (13/15) = 94.4 %; beside a gap of 4.8 it is not 4.8/86.7.
    path = tmp_path / "gap.csv"
    path.write_text(
        "row,accuracy:I-II,accuracy:V-VI,accuracy:worst,accuracy:Gap,pqd\nA,86.7,81.8,81.8,4.8,94.4\n"
    )
    code, said = run(capsys, "audit-table", path, "--images", "accuracy:Gap=15")
    assert code == 0
    assert IMPOSSIBLE not in said.out


@pytest.mark.parametrize(
    ("rows", "unit", "read"),
    [
        ("86.7,81.8,0.944", "percent", "pqd read as fraction"),
        ("0.867,0.818,94.4", "fraction", "pqd read as percent"),
        ("86.7,81.8,94.4", "percent", None),
    ],
)
def test_ratios_in_the_other_unit_are_read_so_and_said(tmp_path, capsys, rows, unit, read):
    path = tmp_path / "unit.csv"
    path.write_text(f"row,accuracy:I-II,accuracy:V-VI,pqd\nA,{rows}\n")
    code, said = run(capsys, "audit-table", path, "--images", "accuracy:I-II=15", "--unit", unit)
    assert code == 0
    assert IMPOSSIBLE not in said.out
    assert (read or "to the last digit.") in said.out
    # A PQD that is none in its unit either is still found.
    path.write_text("row,accuracy:I-II,accuracy:V-VI,pqd\nA,86.7,81.8,0.980\n")
    _, said = run(capsys, "audit-table", path, "--images", "accuracy:I-II=15")
    assert IMPOSSIBLE in said.out


def of_shares(tmp_path, capsys, row, *options):
    """Impossible columns of a table of two shares, of 43 and 18 images, and what is said of the unit."""
    path = tmp_path / "shares.csv"
    path.write_text(f"row,accuracy,accuracy:I-II\nours,{row}\n")
    images = ("--images", "accuracy=43", "--images", "accuracy:I-II=18", "--format", "json")
    code, said = run(capsys, "audit-table", path, *images, *options)
    assert code == 0
    found = json.loads(said.out)["papers"][0]["findings"]
    assert len({f["assumed"] for f in found}) == 1
    whys = {f["column"]: f["why"] for f in found if f["verdict"] == IMPOSSIBLE}
    return whys, "read as fractions" in found[0]["assumed"]


def test_shares_of_which_none_is_above_1_are_fractions_unless_a_unit_is_said(tmp_path, capsys):
    # 37/43 = 0.860, 16/18 = 0.889.
    assert of_shares(tmp_path, capsys, "0.860,0.889") == ({}, True)
    assert of_shares(tmp_path, capsys, "0.860,0.880")[0].keys() == {"accuracy:I-II"}
    assert of_shares(tmp_path, capsys, "0.860,0.889", "--unit", "fraction") == ({}, False)
    whys, said = of_shares(tmp_path, capsys, "0.860,0.889", "--unit", "percent")
    assert (whys.keys(), said) == ({"accuracy", "accuracy:I-II"}, False)
    # 0.0 % and 0.00 are the same; 0.9 beside 88.9 is percent.
    assert of_shares(tmp_path, capsys, "0.0,0.0") == ({}, False)
    assert of_shares(tmp_path, capsys, "0.9,88.9")[0].keys() == {"accuracy"}


def test_percent_said_to_be_fractions_lie_outside_0_to_100_percent(tmp_path, capsys):
    whys, _ = of_shares(tmp_path, capsys, "86.0,88.9", "--unit", "fraction")
    assert whys == {
        "accuracy": "8600 % lies outside 0 to 100 %",
        "accuracy:I-II": "8890 % lies outside 0 to 100 %",
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--images", "nothing=3"), "no metric 'nothing'"),
        (("--images", "accuracy:VI=3"), "has the columns accuracy"),
        (("--images", "accuracy"), "wanted COLUMN=N"),
        (("--images", f"accuracy={'9' * 5000}"), "wanted COLUMN=N"),
        (("--images", "accuracy=0"), "images of accuracy: found 0, wanted a whole number from 1"),
        (("--total", "9" * 5000), "wanted a number of images"),
        (("--total", "many"), "wanted a number of images"),
        (("--total", "5-"), "wanted a number of images"),
        (("--training", "500"), "found 500 with one test set"),
        (
            ("--total", "100", "--images", "accuracy:I-II=80", "--images", "accuracy:V-VI=80"),
            "160 images of accuracy by tone, more than the 100",
        ),
        (
            (
                "--images",
                "accuracy=100",
                "--images",
                "accuracy:I-II=80",
                "--images",
                "accuracy:V-VI=80",
            ),
            "160 images of accuracy by tone, more than the 100",
        ),
        (
            ("--total", "20", "--images", "accuracy=30"),
            "30 images of accuracy, and 20 to 20 in all",
        ),
        (("--images", "accuracy=10", "--images", "accuracy=20"), "accuracy has 10 images already"),
    ],
)
def test_bad_options_are_one_sentence(table_file, capsys, options, words):
    code, said = run(capsys, "audit-table", table_file, *options)
    assert code == 2
    assert words in said.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("row\n", "wanted a header"),
        ("row,accuracy\nA,about 80\n", "line 2: found 'about 80'"),
        ("row,accuracy,pqd\nA,80\n", "line 2"),
        ("row;accuracy;pqd\nA;80;90\n", "found semicolons between fields"),
        ("row\taccuracy\nA\t80\n", "found tabs between fields"),
        ("row,acc\nA,80\n", "column 'acc': no metric 'acc'"),
        ("row,accuracy,recall:V-VI\nA,80,80\n", "no metric 'recall'"),
        ("row,accuracy:V,Accuracy : V\nA,80,80\n", "both named 'accuracy:V'"),
        ("row,pqd,accuracy,accuracy\nA,9,80,81\n", "columns 2 and 3 are both named 'accuracy'"),
        ("row,accuracy\nA,80\nB,8\nA,81\n", "rows 1 and 3 are both named 'A'"),
    ],
)
def test_a_bad_table_is_one_sentence(tmp_path, capsys, text, words):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    code, said = run(capsys, "audit-table", path)
    assert code == 2
    assert words in said.err


def test_a_file_with_two_rows_of_one_name_is_one_sentence(tmp_path, capsys):
    path = tmp_path / "twice.toml"
    row = 'name = "A", printed = ["80"], not_comparable = "elsewhere"'
    path.write_text(
        'title = ""\ncite = ""\nabout = ""\n[[tables]]\nid = "t"\ntitle = ""\nkind = "scores"\nsource = ""\n'
        f'unit = "percent"\ncolumns = [{{name = "x", metric = "accuracy"}}]\nrows = [{{{row}}}, {{{row}}}]\n'
    )
    code, said = run(capsys, "audit-table", path)
    assert code == 2
    assert "table t: rows 1 and 2 are both named 'A'" in said.err


def test_a_papers_audit_is_shown(capsys):
    code, said = run(capsys, "paper", "fedd", "--audit", "--suite-root", ROOT)
    assert code == 0
    assert "5 positive and 5 negative images" in said.out
    assert "Assumed: the test images of a tone are as many in every cell." in said.out


def test_words_of_a_table_are_no_markdown(tmp_path, capsys):
    path = tmp_path / "forged.csv"
    path.write_text('row,accuracy\n"x\n\n## Table forged\n\n- **possible** <script>",80.0\n')
    _, said = run(capsys, "audit-table", path, "--total", "43")
    assert [line for line in said.out.splitlines() if line.startswith("#")] == [
        "# Audit of forged",
        "## Table table",
    ]
    assert r"x ## Table forged - \*\*possible\*\* \<script\>, accuracy:" in said.out
