"""The findings of an audit as text for a terminal, Markdown, CSV and JSON."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields, replace

from tonegap.lines import markdown_text
from tonegap.results.papers.audit_reading import Finding
from tonegap.spreadsheet import safe_csv

_ABOUT = (
    "A verdict holds under the assumptions named; it says what numbers can be, nothing of how they came to be. "
    "p values are of single tests, not corrected for their number."
)


def audit_tally(findings: Sequence[Finding]) -> str:
    """How many findings have which verdict."""
    counts = Counter(f.verdict for f in findings)
    return ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common()) + "."


def audit_markdown(title: str, findings: Sequence[Finding]) -> str:
    """A heading, then for each table its assumptions and findings in the order of the tests."""
    parts = [f"# Audit of {markdown_text(title)}", audit_tally(findings), _ABOUT]
    for table in dict.fromkeys(f.table for f in findings):
        own = [f for f in findings if f.table == table]
        parts.append(f"## Table {markdown_text(table)}")
        for assumed in dict.fromkeys(f.assumed for f in own):
            parts += [f"Assumed: {markdown_text(assumed)}."] if assumed else []
            lines = (_line(f) for f in own if f.assumed == assumed)
            parts.append("\n".join(f"- {line}" for line in lines))
    return "\n\n".join(parts) + "\n"


def _line(f: Finding) -> str:
    """A finding in Markdown, with the words of others as they are."""
    row, column, why = map(markdown_text, (f.row, f.column, f.why))
    return finding_text(replace(f, row=row, column=column, why=why))


def finding_text(f: Finding) -> str:
    """One finding as a line: `**verdict** (test) row, column: why`."""
    place = ", ".join(part for part in (f.row, f.column) if part)
    return f"**{f.verdict}** ({f.test}){' ' + place if place else ''}: {f.why}"


def audit_csv(audits: Sequence[tuple[str, Sequence[Finding]]]) -> str:
    """One line for each finding of each paper, under a header."""
    names = [field.name for field in fields(Finding)]
    rows = ((key, *(getattr(f, name) for name in names)) for key, found in audits for f in found)
    return safe_csv(["paper", *names], rows)


def audit_json(audits: Sequence[tuple[str, Sequence[Finding]]]) -> str:
    """The findings of each paper with their numbers."""
    papers = [
        {"paper": key, "summary": audit_tally(found), "findings": [asdict(f) for f in found]}
        for key, found in audits
    ]
    document = {"schema": "tonegap/paper-audit@1", "about": _ABOUT, "papers": papers}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
