"""Says where everything lies below a store (`runs/`), here alone; a unit is a path below it, as its seal names it.

stages/KK/KEY/     what a stage left; `stage.json` is written last inside, the rename is the mark
packs/KEY.npy      decoded images          records/KEY.json    what a run measured
failures/KEY.json  why a run has none      suites/NAME.json    declared matrices
quality/KEY/       the sheet of a synthetic set, and its pictures
truth/SHA256.csv   what records were scored against
truth/first/NAME   digest of the first truth of a task at a seed
submissions/ID/    external submissions, each laid out as a store; here/ is what this side declared when one came
last/SLOT.json     ingredients of the newest stage of a kind, to explain a cache miss
checkpoints/KEY/   what an unfinished try of a resumable stage left
determinism/KEY.json  how a second run of a stage went
repeats/KEY.json   what running it anew gave, several times
audits/KEY.json    what is known of test images among the ancestors of a synthetic set
given/             copies of local folders that lie on another disk
index/, drawn/     what is known of images, and images that were drawn here
seals/             what each of these was when it was written, see `tonegap.store.seals`
locks/, work/      who is at what; unfinished work
jobs/ARRAY/        stages that were submitted to a cluster together, and how those ended that have
kept/KEY           the folder of a stage that failed under `--keep`
report/SUITE/      the pages of a suite   specs/    in a bundle, which is laid out alike: what was declared
store.json         says that a folder is a store
"""

STAGES, RECORDS, FAILURES, SUITES, TRUTHS = "stages", "records", "failures", "suites", "truth"
FIRST_TRUTHS = f"{TRUTHS}/first"
LAST, REPEATS, AUDITS, CHECKPOINTS = "last", "repeats", "audits", "checkpoints"
DETERMINISM, SUBMISSIONS, PACKS, GIVEN = "determinism", "submissions", "packs", "given"
INDEX, DRAWN, SEALS, LOCKS, WORK = "index", "drawn", "seals", "locks", "work"
KEPT, JOBS, SHEETS, HERE = "kept", "jobs", "quality", "here"
REPORT, SPECS, MARKER = "report", "specs", "store.json"


def stage_unit(key: str) -> str:
    """What the stage of that key left."""
    return f"{STAGES}/{key[:2]}/{key}"


def record_unit(key: str) -> str:
    """The record of the run of that key."""
    return f"{RECORDS}/{key}.json"


def failure_unit(key: str) -> str:
    """Why the run of that key has no record."""
    return f"{FAILURES}/{key}.json"


def suite_unit(name: str) -> str:
    """The declared matrix of a suite."""
    return f"{SUITES}/{name}.json"


def truth_unit(sha256: str) -> str:
    """The truth of that digest."""
    return f"{TRUTHS}/{sha256}.csv"


def first_truth_unit(place: str) -> str:
    """The digest of the first truth of a task at a seed."""
    return f"{FIRST_TRUTHS}/{place}"


def sheet_unit(key: str) -> str:
    """The folder of the quality sheet of that key."""
    return f"{SHEETS}/{key}"


def pack_unit(key: str) -> str:
    """Decoded images."""
    return f"{PACKS}/{key}.npy"
