"""The card of a synthetic set, as model and data hubs show it: YAML front matter, then a data sheet.

The mistake it exists to prevent: a folder of synthetic images that is passed on without what it was made
from, whose licence it inherits, and what it must not be used for.
"""

import json
import shlex
from collections.abc import Iterator, Mapping

from tonegap.declared.dataset import DatasetFile
from tonegap.declared.plugin import GIVEN_KINDS
from tonegap.formats.job import Parameter
from tonegap.formats.quality_sheet import Sheet
from tonegap.report.exports.sets import Contents, SetFacts
from tonegap.report.quality_tables import TextTable, markdown_table, quality_page, share
from tonegap.results.quality import SetSheet

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
_LARGEST = "100K<n<1M"
_PROMPTS_SHOWN = 12
_GONE = "The set's own files are no longer in the store that this card was made from."
_USE = """\
Augmenting the training images of the task named above, to measure whether that narrows the gap between
skin tones. Every use beyond that is untested."""
_NOT_FOR = """\
- Not for diagnosis, teaching or any other decision about a person: an image shows what a method makes of a
  condition, not what the condition looks like.
- Not as validation or test images, and not as evidence of how often a condition or a tone occurs.
- Not as images of people who agreed to anything: what they were made from keeps its owners, and an image may
  be close to one of theirs (see near copies).
- Not for training beside another split of the same data set: the real images it descends from may be test
  images there."""


def set_card(facts: SetFacts) -> str:
    """The card as Markdown; equal facts give equal text. For a set with a sheet."""
    sheet = facts.made.sheet
    if sheet is None:
        raise ValueError("a card is made from a quality sheet, and this set has none")
    page = quality_page(facts.made, sheet)
    sections = {
        "What it is": " ".join([_what(facts, sheet), *page.answer]),
        "Composition": _composition(facts, sheet),
        "Tones asked for and tones shown": markdown_table(page.tables[0])
        + f"\n\n{page.tables[0].about}",
        "How it was made": _how(facts, sheet),
        "What it was made from": "\n".join(_origins(facts, sheet)),
        "Near copies": _near(sheet),
        "Licence": _licence(facts, sheet),
        "Intended use": _USE,
        "What it must not be used for": _NOT_FOR,
        "How to make it again": _again(facts, sheet),
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    top = "\n\n".join([f"[Quality sheet](../{facts.made.page}.html)", *_warnings(sheet)])
    return f"{_front(facts, sheet)}\n# {page.title}\n\n{top}\n\n{body}\n"


def _warnings(sheet: Sheet) -> Iterator[str]:
    data = sheet.set.data
    if data.stand_in:
        yield "**Made from synthetic phantoms that stand in for real images: it says nothing about those.**"
    elif not data.drawn:
        yield f"**Made from images of the data set {data.data_set}: its terms decide who may have these.**"


def _front(facts: SetFacts, sheet: Sheet) -> str:
    """YAML that a hub reads; every text is quoted as JSON, which YAML understands."""
    data_set = sheet.set.data.data_set
    fields: dict[str, str | list[str]] = {
        "pretty_name": f"{facts.made.label} on {facts.made.task}, seed {facts.made.seed}",
        "license": "other",
        "license_name": f"terms-of-{data_set}",
        "license_details": _terms(facts.dataset),
        "task_categories": ["image-classification"],
        "annotations_creators": ["machine-generated"],
        "source_datasets": ["extended|other"],
        "size_categories": [_size(sheet.set.n)],
        "tags": ["synthetic", "skin-tone", "dermatology", "tonegap", data_set, facts.made.method],
    }
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(["---", *lines, "---"])


def _size(n: int) -> str:
    return next((name for most, name in _SIZES if n < most), _LARGEST)


def _terms(dataset: DatasetFile | None) -> str:
    return (
        "unknown: the data set is not declared here" if dataset is None else dataset.licence.strip()
    )


def _what(facts: SetFacts, sheet: Sheet) -> str:
    drawn = " It was made from synthetic phantoms." if sheet.set.data.drawn else ""
    return (
        f"Images that the method {facts.made.label} made for the task {facts.made.task} "
        f"({facts.task_title}), seed {facts.made.seed}.{drawn}"
    )


def _composition(facts: SetFacts, sheet: Sheet) -> str:
    if facts.contents is None:
        by_tone = ", ".join(f"{tone} {n:,}" for tone, n in sheet.set.n_by_tone.items())
        return f"{sheet.set.n:,} images by tone asked for: {by_tone or 'none'}. {_GONE}"
    counts, tones = facts.contents.counts, tuple(sheet.set.n_by_tone)
    rows = [
        (label, *(_count(counts.get((label, tone), 0)) for tone in tones),
         f"{sum(n for (one, _), n in counts.items() if one == label):,}")
        for label in sorted({label for label, _ in counts})
    ]  # fmt: skip
    total = ("all", *(f"{sheet.set.n_by_tone[tone]:,}" for tone in tones), f"{sheet.set.n:,}")
    about = "Images by class and tone, as the method was asked for them."
    table = TextTable("Composition", about, ("Class", *tones, "all"), (*rows, total))
    return f"{markdown_table(table)}\n\n{about}"


def _count(n: int) -> str:
    return f"{n:,}" if n else "·"


def _how(facts: SetFacts, sheet: Sheet) -> str:
    method = facts.method
    lines = [f"- plug-in: `{sheet.set.plugin}`"]
    if method is not None:
        lines = [f"{method.title}. {method.about.strip()}", "", *lines]
        lines += [f"- paper: {method.paper}"] if method.paper else []
        given = [n for n, spec in method.parameters.items() if spec.kind in GIVEN_KINDS]
        lines += [
            f"- made with `{name} = {sheet.set.parameters.get(name)}`" for name in sorted(given)
        ]
    lines += _prompts(facts.contents)
    return "\n".join([*lines, *_parameters(sheet.set.parameters)])


def _parameters(values: Mapping[str, Parameter]) -> Iterator[str]:
    if not values:
        yield "- parameters: none"
        return
    yield "- parameters:"
    yield ""
    yield "```toml"
    yield from (f"{n} = {json.dumps(v, ensure_ascii=False)}" for n, v in sorted(values.items()))
    yield "```"


def _prompts(contents: Contents | None) -> Iterator[str]:
    if contents is None:
        return
    if not contents.prompts:
        yield "- prompts: none"
        return
    n = len(contents.prompts)
    shown = min(n, _PROMPTS_SHOWN)
    yield f"- prompts: {n:,} different ones" + (
        f", the {shown} most frequent:" if shown < n else ":"
    )
    for prompt, times in contents.prompts[:_PROMPTS_SHOWN]:
        # In a code span: a word in angle brackets would be taken for HTML.
        yield f"  - `{' '.join(prompt.split()).replace('`', chr(39))}` ({times:,} images)"


def _origins(facts: SetFacts, sheet: Sheet) -> Iterator[str]:
    data, contents, record = sheet.set.data, facts.contents, facts.record
    yield (
        f"- data set `{data.data_set}`: metadata `{data.metadata_sha256}`, images `{data.images_sha256}` (SHA-256)"
    )
    yield (
        f"- {sheet.set.n_real:,} training images of the task were shown to the method; no validation or test image"
    )
    if record is None:
        yield "- no record here trained on this set, so the training partition's digest is unknown here"
    else:
        train = record.partitions["train"]
        yield f"- training partition: {train.n:,} images, `{train.sha256}` (SHA-256 of its sorted ids, one a line)"
        withheld = record.synthetic.withheld if record.synthetic else {}
        for rule, n in sorted(withheld.items()):
            yield f"- {n:,} training images were withheld for images that are held out ({rule})"
    if contents is None:
        yield f"- {_GONE}"
        return
    yield f"- {contents.n_sources:,} real images are named as sources of single images"
    if contents.n_unknown:
        yield f"- of {contents.n_unknown:,} images nobody says what they were made from"
    for part in contents.parts:
        digest = f", `{part.sha256}`" if part.sha256 else ""
        yield f"- learned part `{part.name}`: trained on {part.n_sources:,} real images{digest}"


def _near(sheet: Sheet) -> str:
    if sheet.measured is None:
        return f"Not measured: {sheet.no_features or 'no reason given'}."
    memory = sheet.measured.memory
    random = (
        ", of a network with random weights" if sheet.extractor and sheet.extractor.random else ""
    )
    reason = f" ({memory.near.reason})" if memory.near.reason else ""
    return (
        f"{share(memory.near)}{reason} of the images lie as near to a training image as the nearest 5 % of "
        f"training images lie to another one; of {share(memory.own_source)} the nearest is one they were made "
        "from. A method that changes existing images is near them by intention. The features are those of "
        f"the quality sheet{random}."
    )


def _licence(facts: SetFacts, sheet: Sheet) -> str:
    return (
        f"Inherited from the data set `{sheet.set.data.data_set}`, from whose images it was made: "
        f"{_terms(facts.dataset)}. Whoever passes these images on needs that right for the originals."
    )


def _again(facts: SetFacts, sheet: Sheet) -> str:
    data = sheet.set.data
    roots = "" if data.drawn else f" --root {data.data_set}=DIR"
    suite, subset = facts.suite or "SUITE", ""
    if data.exclusions:
        suite = suite.rpartition("-without-")[0] or suite
        subset = "".join(f" --exclude {shlex.quote(e.name)}" for e in data.exclusions)
    if data.subset is not None:
        suite, subset = (
            suite.removesuffix(f"-subset-{data.subset}"),
            f" --subset {data.subset}{subset}",
        )
    return (
        f"```console\n$ tonegap run {shlex.quote(suite)}{subset}{roots}\n```\n\n"
        "With `--set` for each parameter above that is not as the suite has it. "
        f"The set is the stage `{sheet.set.stage}`; its `synthetic.csv` has SHA-256 `{sheet.set.sha256}`. The "
        "same plug-in, parameters, seed, environment and training images have the same stage key."
    )


def card_path(made: SetSheet) -> str:
    """Where the card lies below a report."""
    return f"quality/{made.page}/README.md"
