"""An entry's page in a real browser: the page's colours reach its charts, and it fits a narrow window."""

import json
import re
import subprocess

import pytest
from browser import CHROMIUM, FLAGS, NEEDS_BROWSER
from report_files import contents
from two_entries import board_of, fill_two_entries

from tonegap.report.pages import entry_page
from tonegap.report.pages.leaderboard_page import render_html

pytestmark = NEEDS_BROWSER

ASK = """
const dots = [...document.querySelectorAll(".chart circle")].map(dot => getComputedStyle(dot).fill);
const answer = {
  dots: [...new Set(dots)],
  ink: getComputedStyle(document.body).color,
  text: getComputedStyle(document.querySelector(".chart text")).fontFamily,
  body: getComputedStyle(document.body).fontFamily,
  wide: document.documentElement.scrollWidth - innerWidth,
  covered: [...document.querySelectorAll(".chart")].flatMap(chart => {
    const texts = [...chart.querySelectorAll("text")].map(t => [t.textContent, t.getBoundingClientRect()]);
    const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    return texts.flatMap(([one, a], i) => texts.slice(i + 1).filter(([, b]) => a.width && b.width && meet(a, b))
      .map(([other]) => one + " | " + other));
  }),
};
document.title = JSON.stringify(answer);
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    source = fill_two_entries(tmp_path_factory.mktemp("store"))
    files = contents(entry_page.files(board_of(source), source))
    (path,) = [path for path in files if "mixup" in path and path.endswith(".html")]
    return files[path].decode()


@pytest.fixture
def asked(page, tmp_path):
    """What the browser makes of the page; its policy, which allows no script, is taken out to ask."""

    def ask(*flags, page=page):
        path = tmp_path / "page.html"
        free = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", page)
        path.write_text(free.replace("</body>", f"<script>{ASK}</script></body>"), "utf-8")
        command = [CHROMIUM, *FLAGS, *flags, f"--user-data-dir={tmp_path / 'browser'}"]
        done = subprocess.run(
            [*command, "--dump-dom", path.as_uri()], capture_output=True, check=True, timeout=60
        )
        title = re.search(r"<title>(.*?)</title>", done.stdout.decode(), re.DOTALL).group(1)
        return json.loads(title.replace("&quot;", '"').replace("&amp;", "&"))

    return ask


def test_charts_have_the_tones_colours_and_the_pages_font(asked):
    found = asked()
    assert {"rgb(232, 191, 152)", "rgb(61, 35, 20)"} <= set(found["dots"])  # of I-II and V-VI
    assert found["text"] == found["body"]


@pytest.mark.parametrize("window", ["--window-size=500,900", "--window-size=1365,900"])
def test_no_text_of_a_chart_covers_another(asked, page, window):
    assert "accuracy, percent</text>" in page
    assert asked(window)["covered"] == []


def test_rows_that_the_script_draws_keep_the_link_to_their_page(tmp_path):
    source = fill_two_entries(tmp_path / "store")
    change = 'const box = document.querySelector(".views").elements.metric; box.value = "auc"; '
    change += 'box.dispatchEvent(new Event("change"));'
    before = render_html(board_of(source), beside=())
    path = tmp_path / "page.html"
    path.write_text(before.replace("</body>", f"<script>{change}</script></body>"), "utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom"]
    done = subprocess.run([*command, path.as_uri()], capture_output=True, check=True, timeout=60)
    links = [re.findall(r'<a href="(entries/[^"]+)">', t) for t in (before, done.stdout.decode())]
    assert len(links[0]) == 2
    assert sorted(links[1]) == sorted(links[0])


def test_a_narrow_window_scrolls_tables_and_not_the_page(asked):
    assert asked("--window-size=500,900")["wide"] <= 0


def test_a_narrow_window_scrolls_the_leaderboard_s_tables_and_not_its_page(asked, tmp_path):
    page = render_html(board_of(fill_two_entries(tmp_path / "store")), beside=())
    assert 'class="heard"' in page  # words for a screen reader, placed where their column is
    assert asked("--window-size=500,900", page=page)["wide"] <= 0


def test_a_long_word_in_a_title_wraps_in_a_narrow_window(asked, page):
    long = re.sub(r"<h1>.*?</h1>", f"<h1>{'x' * 150}</h1>", page, count=1, flags=re.DOTALL)
    assert long != page
    assert asked("--window-size=500,900", page=long)["wide"] <= 0
