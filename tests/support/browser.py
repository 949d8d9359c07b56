"""A page in headless Chromium: what it says after some script ran in it."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NEEDS_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


def dom_of(page: str, folder: Path, address: str = "", *flags: str) -> str:
    """The document as it stands after its scripts ran; `address` follows the file's name, `flags` are the browser's."""
    path = folder / "page.html"
    path.write_text(page, "utf-8")
    command = [str(CHROMIUM), *FLAGS, *flags, f"--user-data-dir={folder / 'browser'}", "--dump-dom"]
    done = subprocess.run(
        [*command, path.as_uri() + address], capture_output=True, check=True, timeout=120
    )
    return done.stdout.decode()


def asked(page: str, script: str, folder: Path, address: str = "") -> Any:
    """What a script gives that ends with `return`, as JSON carries it."""
    ask = f"<script>document.title = JSON.stringify((() => {{ {script} }})());</script></body>"
    dom = dom_of(page.replace("</body>", ask), folder, address)
    title = re.search(r"<title>(.*?)</title>", dom, re.DOTALL)
    return json.loads(html.unescape(title.group(1) if title else "null"))
