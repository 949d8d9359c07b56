"""How long a large report takes: `python benchmarks_of_code/bench_report.py [FOLDER]`.

A store of 2,000 entries x 5 seeds is written by the same code that a run writes with (a minute or two, once per
FOLDER; without FOLDER into a temporary one): 100 sets of predictions are scored, and each entry has one of them and
its scores, less a little that is its own. Then `tonegap report` makes its folder in a process of its own (wanted:
30 s, 1 GB at its peak), and the page is opened in headless Chromium, where a click on a column's name and a word in
the search field are timed until the next frame (wanted: 200 ms each). It ends with code 1 where that is missed.
"""

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet

from tonegap.files import sha256_file
from tonegap.formats.matrix import Matrix, RunId
from tonegap.formats.record import (
    Circumstances,
    DataId,
    EntryId,
    Isolation,
    Leaks,
    PartitionId,
    Record,
    Selected,
    StageCost,
    StageId,
    encode_record,
)
from tonegap.formats.truth import PartTruth, TaskTruth, encode_truth
from tonegap.scores.results import Results, Rules, results_of
from tonegap.tones import TYPES

ROOT = Path(__file__).parents[1]
SEEDS = range(5)
CLASSES, POSITIVE = ("benign", "malignant", "other"), ("malignant",)
N_VALIDATION, N_TEST, N_EPOCHS = 120, 360, 2
N_LIKE = 100
RULES = Rules(CLASSES, POSITIVE, TYPES, 5, "balanced_accuracy")
TASK = "invented/large"
MOST_SECONDS, MOST_MIB, MOST_MS = 30.0, 1024.0, 200.0
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def entries() -> list[EntryId]:
    """20 methods x 20 baselines x 5 networks, the reference of each network among them, and a control."""
    methods = ["none", *(f"method-{i:02}" for i in range(1, 20))]
    baselines = ["erm", *(f"recipe-{i:02}" for i in range(1, 20))]
    found = [EntryId(m, b, f"net{n}") for n in range(5) for m in methods for b in baselines]
    return [*found, EntryId("none", "chance", "")]


@cache
def truth_of(seed: int) -> TaskTruth:
    """Images of one seed; every tenth pair of them shows one lesion."""
    rng = np.random.default_rng(seed)

    def part(name: str, n: int) -> PartTruth:
        labels = tuple(CLASSES[i] for i in rng.integers(len(CLASSES), size=n))
        tones = tuple(TYPES[i] for i in rng.choice(6, n, p=(0.2, 0.25, 0.2, 0.15, 0.12, 0.08)))
        units = tuple(i - (i % 20 == 1) for i in range(n))
        return PartTruth(tuple(f"{name}-{seed}-{i}" for i in range(n)), labels, tones, units)

    return TaskTruth(part("v", N_VALIDATION), part("t", N_TEST))


def predictions_of(number: int, seed: int) -> pa.Table:
    """What an entry says: some entries are better than others, and worse on dark tones."""
    truth, rng = truth_of(seed), np.random.default_rng([number, seed])
    parts = (truth.validation, truth.test)
    y = np.concatenate([part.y(CLASSES) for part in parts])
    darkness = np.array([TYPES.index(tone) for part in parts for tone in part.tones]) / 5
    skill = 0.0 if number == N_LIKE else np.random.default_rng(number).uniform(0.2, 1.4)
    tables = []
    for epoch in range(N_EPOCHS):
        p = rng.dirichlet(np.ones(len(CLASSES)), len(y))
        p[np.arange(len(y)), y] += skill * (1 + 0.1 * epoch) * (1 - 0.4 * darkness)
        p /= p.sum(axis=1, keepdims=True)
        columns = {f"p_{name}": p[:, i] for i, name in enumerate(CLASSES)}
        tables.append(pa.table({"epoch": np.full(len(y), epoch), "image_id": truth.ids, **columns}))
    return pa.concat_tables(tables)


def less(value: float | None, number: int) -> float | None:
    """A score as that entry has it; the first with these predictions, references and the control have theirs."""
    if value is None or number < N_LIKE or number % 400 == 0:
        return value
    return max(0.5 * value - number / 100_000, 0.0)


def scores_of(number: int, scores: dict[str, Selected]) -> dict[str, Selected]:
    """The scores of a set of predictions, as that entry has them."""
    replace = msgspec.structs.replace
    return {
        rule: replace(
            selected,
            tables={
                axis: replace(table, value=tuple(less(value, number) for value in table.value))
                for axis, table in selected.tables.items()
            },
        )
        for rule, selected in scores.items()
    }


def record_of(number: int, seed: int, key: str, path: Path, results: Results) -> Record:
    """The record that a run would write for these predictions."""
    entry, truth = entries()[number], truth_of(seed)
    counts = {tone: truth.test.tones.count(tone) for tone in TYPES}
    sizes = {"train": 2000, "validation": N_VALIDATION, "test": N_TEST}
    return Record(
        schema="tonegap/record@1",
        entry=entry,
        control=entry.baseline == "chance",
        method_parameters={"images_per_image": 2},
        baseline_parameters={"epochs": 20, "batch": 64, "learning_rate": 1e-3},
        task=TASK,
        seed=seed,
        classes=CLASSES,
        positive=POSITIVE,
        tones=TYPES,
        primary_metric="accuracy",
        selection_metric=RULES.selection_metric,
        published_selection="validation",
        min_support=RULES.min_support,
        tone_at_test=False,
        data=DataId("invented", "a" * 64, "b" * 64, stand_in=False, drawn=True),
        partitions={k: PartitionId(n, counts, f"{seed:064x}") for k, n in sizes.items()},
        synthetic=None,
        leaks=Leaks(0, 0, {}),
        stages=(StageId("train", f"baselines/{entry.baseline}", key, "c" * 64),),
        predictions_sha256=sha256_file(path),
        scores=scores_of(number, results.scores),
        curve=results.curve,
        circumstances=Circumstances(
            "2026-01-01T00:00:00Z",
            {"processor": "x86_64"},
            {"python": "3.11"},
            (StageCost("train", 60.0, 59.0, 800.0),),
            Isolation("local", contained=True, network="off", files="read-only view", limits={}),
        ),
        truth_sha256=hashlib.sha256(encode_truth(truth)).hexdigest(),
    )


def write_cell(store: Path, number: int, seed: int, source: Path, results: Results) -> RunId:
    """One cell of the store: its predictions and its record."""
    entry = entries()[number]
    key = hashlib.sha256(f"{entry.label} {seed}".encode()).hexdigest()
    folder = store / "stages" / key[:2] / key
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "predictions.parquet"
    shutil.copyfile(source, path)
    record = record_of(number, seed, key, path, results)
    (store / "records" / f"{key}.json").write_bytes(encode_record(record))
    return RunId(entry, TASK, seed, key, record.control)


def like_of(number: int) -> int:
    """Which set of predictions an entry has; the control, at the end, one that knows nothing."""
    return N_LIKE if number == len(entries()) - 1 else number % N_LIKE


def _write_like(task: tuple[Path, int]) -> list[RunId]:
    """All cells of the entries that have one set of predictions."""
    store, like = task
    cells = []
    for seed in SEEDS:
        source = store / f"like-{like}-{seed}.parquet"
        pyarrow.parquet.write_table(predictions_of(like, seed), source)
        results = results_of(source, truth_of(seed), RULES)
        numbers = [i for i in range(len(entries())) if like_of(i) == like]
        cells += [write_cell(store, number, seed, source, results) for number in numbers]
        source.unlink()
    return cells


def build(store: Path) -> None:
    """The whole store; its matrix comes last."""
    for name in ("suites", "records", "failures", "stages", "truth"):
        (store / name).mkdir(parents=True, exist_ok=True)
    for seed in SEEDS:
        content = encode_truth(truth_of(seed))
        (store / "truth" / f"{hashlib.sha256(content).hexdigest()}.csv").write_bytes(content)
    with ProcessPoolExecutor(2) as pool:
        tasks = [(store, like) for like in range(N_LIKE + 1)]
        cells = [c for own in pool.map(_write_like, tasks) for c in own]
    matrix = Matrix("large", "A large report", tuple(cells))
    (store / "suites" / "large.json").write_bytes(msgspec.json.encode(matrix))


def make_report(store: Path, out: Path) -> tuple[float, float]:
    """Wall seconds and the peak of memory in MiB of `tonegap report`."""
    command = [sys.executable, "-m", "tonegap", "report", "--suite-root", str(ROOT)]
    start = time.perf_counter()
    subprocess.run([*command, "--store", str(store), "--out", str(out)], check=True)
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


# What a reader waits for: from the event to the frame after its rows were drawn.
MEASURE = """
<script>
addEventListener("load", async () => {
  const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  const section = document.querySelector("section.task");
  const timed = async act => {
    const before = section.dataset.drawn, start = performance.now();
    act();
    while (section.dataset.drawn === before) await frame();
    await frame();
    return Math.round(performance.now() - start);
  };
  const press = key => timed(() => section.querySelector(`[data-key="${key}"] button`).click());
  const search = text => timed(() => {
    const box = document.querySelector("input[type=search]");
    box.value = text;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await frame();
  const found = { load: [Math.round(performance.now())], sort: [], filter: [], "metric": [], "all rows": [] };
  await new Promise(done => setTimeout(done, 1000));
  for (const key of ["gap", "worst", "all", "label", "rank", "tone5"]) found.sort.push(await press(key));
  for (const text of ["method-07", "recipe-1", "nothing", ""]) found.filter.push(await search(text));
  const metric = section.querySelector("[name=metric]");
  for (const name of ["auc", "accuracy"]) {
    found.metric.push(await timed(() => { metric.value = name; metric.dispatchEvent(new Event("change")); }));
  }
  found["all rows"].push(await timed(() => section.querySelector(".more button").click()), await press("gap"));
  console.log(`TIMES ${JSON.stringify(found)} TIMES`);
});
</script>
"""


def page_times(page: Path, scratch: Path) -> dict[str, list[float]]:
    """Milliseconds of what a reader does, measured inside the page."""
    copy = scratch / "measured.html"
    copy.write_text(page.read_text("utf-8").replace("</body>", MEASURE + "</body>"), "utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command = [str(CHROMIUM), *flags, "--enable-logging=stderr", "--window-size=1400,1000"]
    with subprocess.Popen(
        [*command, f"--user-data-dir={scratch / 'browser'}", copy.as_uri()],
        stderr=subprocess.PIPE,
        text=True,
    ) as browser:
        lines = iter(browser.stderr or ())
        line = next((line for line in lines if "TIMES {" in line), "")
        browser.terminate()
    times: dict[str, list[float]] = json.loads(line.split("TIMES")[1]) if line else {}
    return times


def missed(seconds: float, peak: float, times: dict[str, list[float]]) -> Iterator[str]:
    """What was wanted and is not so."""
    if seconds > MOST_SECONDS:
        yield f"more than {MOST_SECONDS:.0f} s"
    if peak > MOST_MIB:
        yield f"more than {MOST_MIB:.0f} MiB"
    for act in ("sort", "filter"):
        if max(times[act]) > MOST_MS:
            yield f"{act}: more than {MOST_MS:.0f} ms"


def main() -> int:
    """Writes one line per figure."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        store = Path(sys.argv[1]) if len(sys.argv) > 1 else scratch / "store"
        if not (store / "suites" / "large.json").exists():
            build(store)
        seconds, peak = make_report(store, scratch / "report")
        page = scratch / "report" / "index.html"
        files = [p for p in page.parent.rglob("*") if p.is_file()]
        size = sum(p.stat().st_size for p in files) / 2**20
        say = sys.stdout.write
        say(f"report of {len(entries())} entries x {len(SEEDS)} seeds: {seconds:.1f} s, ")
        say(f"{peak:.0f} MiB at its peak; {len(files)} files of {size:.1f} MiB, ")
        say(f"index.html {page.stat().st_size / 2**20:.1f} MiB\n")
        if CHROMIUM is None:
            say("no chromium here: the page was not timed\n")
            return 1
        times = page_times(page, scratch)
        for act, found in times.items():
            say(f"{act}: {', '.join(f'{ms:.0f}' for ms in found)} ms\n")
        problems = list(missed(seconds, peak, times))
        say("".join(f"MISSED: {problem}\n" for problem in problems))
        return int(bool(problems))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
