"""The LaTeX export through LaTeX itself, with names that it would read as commands."""

import shutil
import subprocess

import pytest
from report_files import render_csv

from tonegap.formats.record import EntryId
from tonegap.report.exports.latex import render_latex
from tonegap.results.leaderboard import leaderboard

DOCUMENT = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage{booktabs,graphicx}
\begin{document}
%s
\end{document}
"""
# Every sign that means something to LaTeX, a name in letters that its fonts lack, and one that no line breaks in.
NAMES = [
    r"50% & #1 $x$ _a^b ~c {d} \input{/etc/passwd}",
    "Fototyp Ⅵ – кожа – 皮肤 🙂",
    "a" * 200,
    "=1+1",
]


@pytest.fixture
def pdflatex():
    found = shutil.which("pdflatex")
    if found is None:
        pytest.skip("no pdflatex here (Debian: texlive-latex-recommended)")
    return found


@pytest.fixture
def board(settings, make_record, cell):
    entries = [EntryId("none", "erm", "cnn4"), *(EntryId("m", "b", "cnn4", name) for name in NAMES)]
    return leaderboard([cell(make_record(e, 0, {"I": 0.5, "VI": 0.25})) for e in entries], settings)


def test_the_tables_compile_without_an_error_whatever_the_names(board, pdflatex, tmp_path):
    (tmp_path / "a.tex").write_text(DOCUMENT % render_latex(board), "utf-8")
    ended = subprocess.run(
        [pdflatex, "-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape", "a.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=120,
    )
    log = ended.stdout.decode("utf-8", "replace")
    assert ended.returncode == 0, log[-2000:]
    assert "root:" not in log
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_a_name_that_is_a_formula_is_a_text_in_the_csv(board):
    assert ",'=1+1," in render_csv(board)
    assert ",=1+1," not in render_csv(board)
