"""The command `tonegap`, also as `python -m tonegap`; Ctrl-C while it loads ends it in a sentence, too."""

import os
import signal
from types import FrameType
from typing import NoReturn

_SAID = b"stopped; run the same command again\n"


def main() -> NoReturn:
    """Loads the command line, runs it and exits; 130 with a sentence on Ctrl-C before its own handler is there."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    from tonegap.cli.main import main as run

    run()


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    """Ends the process at once: nothing is begun, and an exception in an import may be dropped."""
    try:
        os.write(2, _SAID)
    finally:
        os._exit(130)


if __name__ == "__main__":
    main()
