"""The licences of what `pip install tonegap` and its extras bring, from the metadata of what is installed here.

`python requirements/licences.py` prints a table: package, version, licence, and who asks for it. It ends with exit
code 1 and a sentence for each package whose licence is of no kind below, or is not named. No index is asked.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
# Kinds under which a program under Apache-2.0 may use a dependency without a duty on its own code: words of SPDX, of
# the field `License` and of classifiers alike. GPL and AGPL are of none.
KINDS = {
    "permissive": r"\b(MIT|[0-3]?-?BSD|Apache|BSL|ISC|HPND|PSF|Python Software|CNRI-Python|Zlib|CC0|MIT-CMU)\b",
    "weak copyleft, by file": r"\b(MPL|Mozilla Public License)\b",
    "of NVIDIA, with its GPU libraries": r"\bNVIDIA\b",
}
# Packages without files of their own, whose metadata name nothing: what they are for says it.
NAMELESS = {"cuda-toolkit": "NVIDIA's, as the packages that it asks for"}
_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Found:
    """A package that is installed: its licence in its own words ("" for none), who asks for it."""

    name: str
    version: str
    licence: str
    asked_by: str

    @property
    def kind(self) -> str:
        """What its licence is of `KINDS`, each part of a joined one; "" where a part is of none."""
        parts = [one for one in re.split(r"\bAND\b|;", self.licence) if one.strip()]
        kinds = [
            next((k for k, words in KINDS.items() if re.search(words, one)), "") for one in parts
        ]
        return " and ".join(dict.fromkeys(kinds)) if all(kinds) else ""


def licences() -> tuple[list[Found], list[str]]:
    """What is installed of all that the project and its extras ask for, by name; and the names of what is not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    waiting = [(Requirement(one), "tonegap") for one in project["dependencies"]]
    waiting += [(Requirement(one), f"tonegap[{x}]") for x, all_ in extras.items() for one in all_]
    found: dict[str, Found] = {}
    missing, seen = set(), set()
    while waiting:
        asked, by = waiting.pop(0)
        name = re.sub(r"[-_.]+", "-", asked.name).lower()
        key = (name, frozenset(asked.extras))
        if name == "tonegap" or key in seen:
            continue
        seen.add(key)
        try:
            here = distribution(name)
        except PackageNotFoundError:
            missing.add(name)
            continue
        licence = _licence(here) or NAMELESS.get(name, "")
        found.setdefault(name, Found(here.metadata["Name"], here.version, licence, by))
        waiting += [(one, here.metadata["Name"]) for one in _asked(here, asked.extras)]
    return [found[name] for name in sorted(found)], sorted(missing)


def _asked(here: Distribution, extras: set[str]) -> Iterator[Requirement]:
    for text in here.requires or []:
        one = Requirement(text)
        if one.marker is None or any(one.marker.evaluate({"extra": x}) for x in ("", *extras)):
            yield one


def _licence(here: Distribution) -> str:
    said = here.metadata
    if "License-Expression" in said:
        return said["License-Expression"]
    kinds = [one for one in said.get_all("Classifier") or [] if one.startswith("License ::")]
    names = [one.rpartition(" :: ")[2] for one in kinds if one.count("::") > 1]
    field = " ".join(said["License"].split()) if "License" in said else ""
    # Some have the whole text there: its first words name it.
    return "; ".join(names) or field[:_LONGEST].removesuffix("UNKNOWN")


def main() -> int:
    """Prints the table; 1 where a licence is of no known kind."""
    found, missing = licences()
    width = max(len(one.name) for one in found)
    for one in found:
        row = f"{one.name:<{width}}  {one.version:<12}  {one.licence or '–':<40}  {one.asked_by}\n"
        sys.stdout.write(row)
    problems = [f"{name}: not installed here, its licence is not known" for name in missing]
    bad = [one for one in found if not one.kind]
    for one in bad:
        why = f"the licence {one.licence!r} is of no kind in {Path(__file__).name}"
        problems.append(f"{one.name} {one.version}: {why if one.licence else 'names no licence'}")
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
