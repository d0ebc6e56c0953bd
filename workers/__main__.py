"""Runs the command line as `python -m workers`: how the rig starts its own programs."""

from workers.cli import main

main()
