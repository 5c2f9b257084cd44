"""``python -m cass``: the command line."""

from cass.cli import main

main()
