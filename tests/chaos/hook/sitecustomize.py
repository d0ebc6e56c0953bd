"""Puts a defect into a program of the rig as it starts: found through PYTHONPATH, which a test sets and nobody else."""

import os

from tests.chaos.defects import put_in

put_in(os.environ["CHAOS_DEFECT"])
