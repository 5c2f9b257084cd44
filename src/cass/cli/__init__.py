"""The command line: parse, check the settings, run the verb, print its result."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable

from cass.errors import CassError
from cass.logs import is_verbose, set_up_logging

STOPPED = 130


def main() -> None:
    """Run the command line and exit: code 0, 2 for an error that the user can fix, 130 for Ctrl-C."""
    # Threads that spin while they wait slow training several times over beside any other work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is loaded
    set_up_logging()
    gc.disable()  # collecting while libraries load takes a fifth of the start; execute() turns it on again
    code = _run_app()
    gc.freeze()  # nor does the last collection visit the libraries
    sys.exit(code)


def _run_app() -> int:
    """Run the command; returns the exit code."""
    from cass.cli.app import build_app
    from cass.cli.failures import failure_line
    from cass.cli.usage import USAGE_ERROR, usage_message

    try:
        code = build_app()(prog_name="cass", standalone_mode=False)
    except CassError as error:
        if is_verbose():
            raise
        sys.stderr.write(f"Error: {error}\n")
        return error.exit_code
    except USAGE_ERROR as error:
        sys.stderr.write(f"{usage_message(error)}\n")
        return 2
    except Exception as error:
        line = None if is_verbose() else failure_line(error)
        if line is None:
            raise
        sys.stderr.write(f"Error: {line}\n")
        return 2
    except KeyboardInterrupt:
        code = STOPPED
    code = code or 0
    if code == STOPPED:  # Typer turns Ctrl-C into an exit with 130
        sys.stderr.write(f"{_how_to_continue()}\n")
    return code


def _how_to_continue() -> str:
    """Name the verbs that continue after Ctrl-C."""
    from cass.config.verbs import all_verbs

    verbs = all_verbs().values()
    with_resume = _enumerate(entry.name for entry in verbs if entry.resumes)
    without = _enumerate(entry.name for entry in verbs if entry.continues)
    return (
        f"Stopped. To continue, run the same command again, with --resume for {with_resume}, and as it is for "
        f"{without}. Other commands start again."
    )


def _enumerate(names: Iterable[str]) -> str:
    *most, last = [f"cass {name}" for name in names]
    return f"{', '.join(most)} and {last}" if most else last
