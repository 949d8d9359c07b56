"""What a record says of files that were trained elsewhere, held against what plug-ins and digests are declared to be.

The mistake it exists to prevent: a model that has seen the test images, or of which nobody knows, under a record that
says that it has not.
"""

from collections.abc import Iterator, Mapping

from tonegap.declared.exposure import WORST, Known, SeenBy
from tonegap.declared.plugin import FOLDERS
from tonegap.formats.job import Parameter
from tonegap.formats.record import Record

Own = Mapping[str, Mapping[str, SeenBy]]


def parameters_by_label(record: Record) -> dict[str, Mapping[str, Parameter]]:
    """The parameters of each plug-in that made a record, its bank's extractor too, by label (`methods/none`)."""
    values = record.plugin_parameters
    return {f"{FOLDERS[kind]}/{one}": values[kind] for kind, one in record.plugins.items()}


def exposure_problems(record: Record, own: Own, known: Known, *, here: bool) -> Iterator[str]:
    """What is declared in the suite root (`here`) or in the bundle itself against what a record says was not seen.

    `own`: the `[exposure]` of each plug-in that is there, by label; `known`: answers by SHA-256. Of the bundle itself a
    "no" needs an answer for the file's digest; the suite root need not know every file.
    """
    where = "what is declared here" if here else "the files that came along"
    said = record.exposure or ()
    data_sets = record.data.joined or (record.data.data_set,)
    for label, parameters in parameters_by_label(record).items():
        forms = (str(value).rpartition("#sha256=") for value in parameters.values())
        files = [(name, sha256) for name, mark, sha256 in forms if mark]
        for name, sha256 in files or [("", "")]:
            told = [one.seen for one in said if one.plugin == label and one.file in (name, "")]
            if files and not told and (record.exposure or record.bank):
                yield f"says nothing of whether {name} of {label} was trained on the data set's images"
                continue
            claim = max(told, key=WORST.index, default="unknown" if files else "no")
            for data_set in data_sets:
                sources = (known.get(sha256, {}), own.get(label, {}))
                answers = [of[data_set].answer for of in sources if data_set in of]
                silent = "unknown" if files and not here else "no"
                found = max(answers, key=WORST.index, default=silent)
                if WORST.index(claim) < WORST.index(found):
                    yield (
                        f"says {claim!r} of whether {name or 'what'} {'of' if name else 'comes with'} {label} was "
                        f"trained on images of {data_set}; by {where} it is {found!r}"
                    )
