"""The command line: parse, check the configuration, call the workflow, print the result."""

from __future__ import annotations

import logging
import os
import sys

from cass.errors import CassError


def main() -> None:
    """Run the command line and leave the process: code 0, 2 for what the user can mend, 130 for Ctrl-C."""
    # Threads that spin while they wait slow training several times over beside any other work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is loaded
    from cass.cli.app import app

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("cass")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what a file has wrong, cass says itself
    try:
        app()
    except CassError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, SystemExit) as left:  # Typer turns Ctrl-C into an exit with 130
        if isinstance(left, SystemExit) and left.code != 130:
            raise
        sys.stderr.write(
            "Stopped. cass pretrain, compare, embed and predict continue with the same command and --resume, "
            "cass benchmark and prepare with the same command.\n"
        )
        sys.exit(130)
