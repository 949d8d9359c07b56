"""What axe-core finds wrong with pages for people who cannot see or point, in a real browser.

All pages of a look (light, dark) are in one browser, each in a frame of each width, with every `<details>` open.
"""

import html
import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from browser import CHROMIUM, FLAGS, NEEDS_BROWSER

WIDTHS = (1365, 400)
LOOKS = {"light": (), "dark": ("--blink-settings=preferredColorScheme=0",)}
_PACKAGE = importlib.util.find_spec("axe_core_python")
NEEDS_AXE = [
    *NEEDS_BROWSER,
    pytest.mark.skipif(_PACKAGE is None, reason="axe-core-python is not installed"),
]
_ASK = """
document.querySelectorAll("details").forEach(part => { part.open = true; });
const say = found => parent.postMessage(JSON.stringify([NAME, found, document.documentElement.scrollWidth - innerWidth,
  matchMedia("(prefers-color-scheme: dark)").matches, innerWidth]), "*");
axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => say(violations.map(v =>
  [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 200), v.nodes[0].failureSummary])),
  error => say([["critical", String(error), 1, "", ""]]));
"""
_HEAR = """
const heard = [];
addEventListener("message", event => { heard.push(JSON.parse(event.data)); document.title = JSON.stringify(heard); });
"""


def findings(
    pages: Mapping[str, str], folder: Path, look: str
) -> dict[tuple[str, int], dict[str, object]]:
    """By page and width: `serious` findings (critical, too), all `ids`, `wide` (pixels that scroll sideways), `dark`.

    Raises AssertionError where a frame gave no answer: nothing found is then not known.
    """
    source = Path(str(_PACKAGE.origin)).parent / "axe.min.js"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, folder / "axe.min.js")
    frames = []
    for number, (name, page) in enumerate(pages.items()):
        for width in WIDTHS:
            free = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", page)
            own = _ASK.replace("NAME", json.dumps([name, width]))
            scripts = f'<script src="axe.min.js"></script><script>{own}</script></body>'
            file = f"page-{number}-{width}.html"
            (folder / file).write_text(free.replace("</body>", scripts), "utf-8")
            frames.append(f'<iframe src="{file}" width="{width}" height="900"></iframe>')
    outer = folder / "frames.html"
    outer.write_text(f"<title></title><script>{_HEAR}</script><body>{''.join(frames)}", "utf-8")
    command = [str(CHROMIUM), *FLAGS, *LOOKS[look], f"--user-data-dir={folder / 'browser'}"]
    command += ["--virtual-time-budget=60000", "--dump-dom", outer.as_uri()]
    done = subprocess.run(command, capture_output=True, check=True, timeout=300)
    title = re.search(r"<title>(.*?)</title>", done.stdout.decode(), re.DOTALL)
    heard = json.loads(html.unescape(title.group(1) if title else "") or "[]")
    found = {
        (name, width): {
            "serious": [v for v in violations if v[0] in ("serious", "critical")],
            "ids": [f"{v[1]} ({v[0]}): {v[3]}" for v in violations],
            "wide": max(wide, 0),
            "dark": dark,
        }
        for (name, width), violations, wide, dark, _ in heard
    }
    assert sorted(found) == sorted((name, width) for name in pages for width in WIDTHS)
    return found
