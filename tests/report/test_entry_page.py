"""An entry's page: found by name, true to the records, honest where something was not kept."""

import re
from dataclasses import replace

import msgspec
import pytest
from click.testing import CliRunner
from report_files import contents
from two_entries import ROOT, board_of, fill_two_entries

from tonegap.cli.report import command
from tonegap.declared.suite import read_suite
from tonegap.errors import BadRequest
from tonegap.formats.record import EntryId, decode_record, encode_record
from tonegap.report.pages import entry_page, plugin_page
from tonegap.report.pages.entry_page import files_of, gap_sentence, null_rows, rows_named
from tonegap.report.pages.entry_suite import reproduction
from tonegap.report.pages.leaderboard_page import render_html
from tonegap.report.pages.links import entry_pages, page_name
from tonegap.report.write import write_board, write_entry
from tonegap.results.answers import kept_answers, kept_epochs
from tonegap.results.entry_answers import Readers, StageSetting, entry_answers
from tonegap.store.read import read_suites
from tonegap.store.seals import write_seal
from tonegap.store.source import ResultSource


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return fill_two_entries(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def board(source):
    return board_of(source)


@pytest.fixture(scope="module")
def files(board, source):
    return contents(entry_page.files(board, source))


@pytest.fixture(scope="module")
def kept(board, source):
    return kept_of(board, source)


@pytest.fixture(scope="module")
def report(board, source, tmp_path_factory):
    """The folder of the whole report."""
    return write_board(board, tmp_path_factory.mktemp("report"), source).parent


def kept_of(board, source, label="none + erm (cnn4)"):
    ((table, row),) = rows_named(board, label)
    readers = Readers(kept_answers(source.store, "validation"), kept_epochs(source.store), source)
    return entry_answers(board, table, row, readers)


def html_of(files, word):
    (path,) = [path for path in files if word in path and path.endswith(".html")]
    return files[path].decode()


def rows_of(page, label):
    """The rows of the table of that label: its header, and the cells of each row by its name."""
    table = page.partition(f'aria-label="{label}"')[2].partition("</table>")[0]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in table.split("<tr>")[1:]]
    return cells[0], {name: own for name, *own in cells[1:]}


@pytest.fixture(scope="module")
def page(files):
    return html_of(files, "erm")


def test_every_row_with_a_page_is_linked_and_every_link_of_the_index_leads_somewhere(
    report,
):
    page = (report / "index.html").read_text("utf-8")
    links = set(re.findall(r'href="(entries/[^"]+)"', page))
    assert len(links) == 2
    assert all((report / link).is_file() for link in links)
    drawn = set(re.findall(r'"page":"([^"]+)"', page))
    assert drawn == links


def test_every_link_of_an_entrys_page_leads_somewhere(report):
    for path in [*report.glob("entries/*.html"), *report.glob("methods/*.html")]:
        links = re.findall(r'href="([^"#]+)"', path.read_text("utf-8"))
        assert links
        outside = [link for link in links if link.startswith("https://arxiv.org/abs/")]
        inside = [link for link in links if link not in outside]
        assert [link for link in inside if not (path.parent / link).is_file()] == []


def test_only_the_first_rows_have_a_page(board):
    table = board.tables[0]

    def pages(n):
        settings = msgspec.structs.replace(board.settings, n_details=n)
        return list(entry_pages(replace(board, settings=settings), table))

    assert pages(1) == [table.rows[0].entry]
    assert pages(0) == []


def test_a_report_of_one_file_has_no_links_to_entries(board):
    assert 'href="entries/' in render_html(board, beside=())
    assert 'href="entries/' not in render_html(board)


def test_entries_whose_words_are_the_same_have_names_of_their_own(board):
    table = board.tables[0]
    row = table.rows[0]
    names = {
        page_name(table, replace(row, entry=EntryId("a", "b", backbone, variant)))
        for backbone, variant in (("c", ""), ("", "c"), ("C", ""), ("c ", ""))
    }
    assert len(names) == 4
    assert {name.rpartition("-")[0] for name in names} == {"a-b-c-d-t"}


def test_the_same_store_gives_the_same_bytes(files, source):
    assert contents(entry_page.files(board_of(source), source)) == files


def test_scores_of_the_page_are_those_of_the_table(kept, page):
    scores = kept.row.views[kept.table.ranked].scores
    shown = {name: cells[2] for name, cells in rows_of(page, "Scores by tone")[1].items()}
    assert shown["I-II"] == f"{100 * scores.tones[0].value:.1f}"
    assert shown["gap"] == f"{100 * scores.gap.value:.1f}"


def test_counts_of_the_page_give_the_scores_of_the_records(kept):
    for metric, count in (("accuracy", None), ("sensitivity", "hits")):
        view = kept.row.views["validation", "groups", metric]
        for i, tone in enumerate(("I-II", "V-VI"), start=1):
            if count is None:
                matrix = kept.said.confusions[i].counts
                share = sum(matrix[k][k] for k in range(2)) / kept.said.confusions[i].n
            else:
                event = kept.said.events[i]
                share = event.hits / (event.hits + event.misses)
            # Both seeds have the same test images: counted together they give the mean.
            assert share == pytest.approx(view.scores.tones[i - 1].value), (metric, tone)


def test_curves_of_the_page_are_those_of_the_records(kept):
    assert [curve.points for curve in kept.said.curves] == [r.curve for r in kept.row.records]


def test_images_and_positives_stand_beside_each_tone(page):
    header, cells = rows_of(page, "Scores by tone")
    assert header[:3] == ["", "images", "positive"]
    assert cells["V-VI"][:2] == ["40", "20"]
    assert cells["all images"][:2] == ["80", "40"]


def test_every_interval_holds_the_score_it_belongs_to(kept):
    for (metric, tone), interval in kept.said.intervals.items():
        view = kept.row.views["validation", "groups", metric].scores
        ends = {"all": view.overall, "worst": view.worst, "gap": view.gap}
        mean = ends.get(tone) or view.tones[("I-II", "V-VI").index(tone)]
        if metric == "ece" and tone in {"worst", "gap"}:
            assert "see its null" in interval.reason
        elif metric in {"accuracy", "ece", "sensitivity"} and mean is not None:
            assert interval.low - 1e-9 <= mean.value <= interval.high + 1e-9, (metric, tone)


def test_a_metric_that_compares_tones_has_no_interval(page):
    _, rows = rows_of(page, "Every metric")
    assert re.fullmatch(r"[\d.]+", rows["PQD"][0])
    assert re.fullmatch(r"[\d.]+<small>[\d.]+ to [\d.]+</small>", rows["accuracy"][0])


def test_an_undefined_score_is_a_sign_with_its_reason(tmp_path):
    fill_two_entries(tmp_path)
    for path in (tmp_path / "records").glob("*.json"):
        record = decode_record(path.read_bytes())
        path.write_bytes(encode_record(msgspec.structs.replace(record, scores=_undefined(record))))
        write_seal(tmp_path, f"records/{path.name}")
    source = ResultSource(ROOT, tmp_path, read_suites(tmp_path))
    board = board_of(source)
    rows = rows_named(board, "none + erm (cnn4)")
    page = html_of(contents(files_of(board, rows, source, lambda _: True)), "erm")
    assert 'title="V-VI has 0 images">–<sup>' in page
    assert re.search(r'<li id="tones-note-1">V-VI has 0 images</li>', page)


def _undefined(record):
    """The record's scores with those of V-VI, worst and gap undefined."""

    def emptied(columns):
        hit = [tone in {"V-VI", "worst", "gap"} for tone in columns.tone]
        return msgspec.structs.replace(
            columns,
            value=tuple(None if h else v for h, v in zip(hit, columns.value, strict=True)),
            reason=tuple("V-VI has 0 images" if h else None for h in hit),
        )

    return {
        rule: msgspec.structs.replace(
            selected, tables={axis: emptied(t) for axis, t in selected.tables.items()}
        )
        for rule, selected in record.scores.items()
    }


def test_without_kept_answers_the_page_says_so_and_shows_what_the_record_has(board, tmp_path):
    bare = replace(board, claims=())
    source = ResultSource(ROOT, tmp_path, ())
    page = html_of(
        contents(files_of(bare, rows_named(bare, "none+erm(cnn4)"), source, lambda _: True)), "erm"
    )
    assert "The store has no predictions of this entry" in page
    assert "Confusion matrices" not in page
    assert "which picks the epoch" in page  # the curve of the record
    assert "no predictions were kept, so there is no interval" in page


def test_what_a_control_says_against_the_report_stamps_its_pages(board, source):
    stamped = replace(board, truth_alarms=("tones III and VI are swapped",))
    page = html_of(contents(entry_page.files(stamped, source)), "mixup")
    assert "<strong>TRUTH ALARM:</strong> tones III and VI are swapped. No other number" in page
    for card in contents(plugin_page.files(stamped, source)).values():
        assert b"tones III and VI are swapped" in card


def test_the_page_loads_nothing_from_anywhere(files):
    for path, content in files.items():
        if path.endswith(".html"):
            page = content.decode()
            assert "http:" not in page
            assert "https:" not in page
            assert "src=" not in page
            assert "default-src 'none'" in page


def test_the_suite_file_of_an_entry_spells_every_parameter_of_its_records(files, tmp_path):
    (path,) = [path for path in files if "mixup" in path and path.endswith(".toml")]
    (tmp_path / "one.toml").write_bytes(files[path])
    suite = read_suite(ROOT, str(tmp_path / "one.toml")).file
    (rows,) = suite.entries
    assert (rows.methods, rows.baselines, rows.backbones) == (("none",), ("mixup",), ("cnn4",))
    assert rows.baseline_parameters == {"epochs": 3}
    assert (suite.tasks, suite.seeds) == (("d/t",), (0, 1))


def test_a_command_for_data_of_ones_own_names_the_download(files):
    page = html_of(files, "mixup")
    assert re.search(r"<code>tonegap run \S+mixup\S+\.toml --root DIR</code>", page)
    assert "DIR is your own download of d." in page


def test_seeds_with_different_parameters_have_no_single_command(kept):
    first, second = kept.row.seeds
    changed = msgspec.structs.replace(second.record, baseline_parameters={"epochs": 9})
    row = replace(kept.row, seeds=(first, replace(second, record=changed)))
    again = reproduction(row, "x.toml", StageSetting(1, "cpu"), {})
    assert again.command == ""
    assert "different parameters" in again.why_not


def test_a_local_file_is_named_by_the_path_that_a_suite_has_for_it(kept):
    value = f"weights.pt#sha256={'f' * 64}"
    seeds = tuple(
        replace(s, record=msgspec.structs.replace(s.record, baseline_parameters={"weights": value}))
        for s in kept.row.seeds
    )
    row = replace(kept.row, seeds=seeds)
    known = reproduction(row, "x.toml", StageSetting(1, "cpu"), {value: f"models/{value}"})
    assert f"models/{value}" in known.suite
    assert not any("is not known here" in remark for remark in known.remarks)
    unknown = reproduction(row, "x.toml", StageSetting(1, "cpu"), {})
    assert any("The file of weights is not known here" in remark for remark in unknown.remarks)


def test_the_gap_stands_beside_the_null_gap(kept):
    expected = f"{100 * kept.claims.parity.expected:.1f}"
    assert (
        f"The null gap, with tone labels permuted among the images, is {expected} on average"
        in gap_sentence(kept)
    )


def test_scores_that_compare_tones_stand_beside_their_nulls(kept, page):
    _, rows = rows_of(page, "Null values")
    assert list(rows) == [name for name, *_ in null_rows(kept)]
    found = kept.claims.nulls["pqd", "all", "tones permuted"]
    assert rows["PQD"][1].startswith(f"{100 * found.expected:.1f}<small>")
    assert "" not in rows["PQD"]
    assert rows["ECE, all, of a calibrated model"][3:] == ["", ""]


def test_one_entry_alone_has_no_dead_link(source, tmp_path):
    out = tmp_path / "one"
    arguments = ["--store", str(source.store), "--suite-root", str(ROOT), "--out", str(out)]
    ended = CliRunner().invoke(command, [*arguments, "--entry", "None+Mixup (cnn4)"])
    assert ended.exit_code == 0, ended.output
    (page,) = out.glob("entries/*.html")
    assert ended.output.strip() == str(page)
    links = re.findall(r'href="([^"#]+)"', page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).is_file()] == []


def test_one_entry_within_a_report_is_the_page_of_that_report(board, source, report, files):
    (page,) = write_entry(board, "none + mixup (cnn4)", report, source)
    assert page.read_text("utf-8") == html_of(files, "mixup")


def test_an_unknown_entry_is_refused_with_the_labels_most_like_it(board):
    with pytest.raises(BadRequest, match=r"no entry of that label.*none \+ mixup \(cnn4\)"):
        rows_named(board, "none + mixop (cnn4)")
