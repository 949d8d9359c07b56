"""Papers that declarations name, as links and as BibTeX."""

import re
from collections.abc import Iterable, Iterator

from tonegap import __version__

_DOI = re.compile(r"(?:doi[: ]|doi\.org/)(10\.\S+?)(?=[,;)\s]|\.?$)")
_ARXIV = re.compile(r"arXiv[: ](\d{4}\.\d{4,5})")
# "Du et al. 2022, FairDisCo, arXiv …": authors, year, and a title where one follows.
WORK = re.compile(
    r"(?P<authors>[\w' -]+(?: et al\.|(?:, [\w' -]+)* and [\w' -]+)) (?P<year>(?:19|20)\d\d)"
    r"(?:, (?P<title>(?!arXiv|doi)[^,;]+))?(?=[,;]|$)"
)
# "Groh et al., Evaluating …, CVPR Workshops 2021": a title goes on after a comma where a small letter follows.
_LATER = re.compile(
    r"(?P<authors>[\w' -]+(?: et al\.|(?:, [\w' -]+)* and [\w' -]+)), "
    r"(?P<title>(?!arXiv|doi)[^,;]+(?:, (?!arXiv|doi)[a-z][^,;]*)*)(?=[,;])"
)
_PLACE = re.compile(
    r"(?:https?://)?(?:arXiv[: ]|arxiv\.org/abs/)(\d{4}\.\d{4,5})(?:v\d+)?"
    r"|(?:doi[: ]|(?:https?://)?doi\.org/)(10\.\S+?)(?=[,;)\s]|\.?$)"
)
SOFTWARE = (
    "@software{tonegap,\n  title = {tonegap},\n  author = {{The tonegap contributors}},\n"
    f"  version = {{{__version__}}},\n  license = {{Apache-2.0}}\n}}\n"
)


def linked(cite: str) -> Iterator[tuple[str, str]]:
    """A reference in pieces: text, and an address where it names an arXiv paper or a DOI ("" elsewhere)."""
    at = 0
    for match in _PLACE.finditer(cite):
        yield cite[at : match.start()], ""
        arxiv, doi = match.groups()
        yield match.group(), f"https://arxiv.org/abs/{arxiv}" if arxiv else f"https://doi.org/{doi}"
        at = match.end()
    yield cite[at:], ""


def bibtex(works: Iterable[str]) -> Iterator[str]:
    """An entry for each work, `used1`, …; two that name one paper give one entry, from the one that says more."""
    known: dict[str, dict[str, str]] = {}
    for work in works:
        doi, arxiv = _DOI.search(work), _ARXIV.search(work)
        fields = {"doi": doi[1]} if doi else {}
        fields |= {"eprint": arxiv[1], "archiveprefix": "arXiv"} if arxiv else {}
        fields |= _told(work)
        fields["note"] = re.sub(r"([&%#_$])", r"\\\1", " ".join(work.split()))
        name = doi[1] if doi else arxiv[1] if arxiv else work
        if len(fields) > len(known.get(name, ())):
            known[name] = fields
    for n, fields in enumerate(known.values(), start=1):
        listed = "".join(f",\n  {key} = {{{value}}}" for key, value in fields.items())
        yield f"@misc{{used{n}{listed}\n}}\n"


def _told(work: str) -> dict[str, str]:
    """Author, title and year of a work in one of two forms: `A et al. 2022, Title` and `A et al., Title, Venue 2022`.

    An eprint without a year is of the year in its number. Empty for any other form.
    """
    found, arxiv = WORK.match(work) or _LATER.match(work), _ARXIV.search(work)
    if not found:
        return {}
    said = found.groupdict()
    if "year" not in said:
        clause = re.sub(r"(arXiv|doi)[: ]\S+", "", work[found.end() :].partition(";")[0])
        year = re.search(r"\b(?:19|20)\d\d\b", clause)
        said["year"] = year[0] if year else f"20{arxiv[1][:2]}" if arxiv else None
    authors = re.sub(r" et al\.?$", " and others", said["authors"])
    said["authors"] = re.sub(r",? (?=and )|, ", " and ", authors).replace("and and", "and")
    names = {"authors": "author", "year": "year", "title": "title"}
    return {names[key]: " ".join(value.split()) for key, value in said.items() if value}
