"""`python -m tonegap` is the command `tonegap`."""

from tonegap.cli.main import main

main()
