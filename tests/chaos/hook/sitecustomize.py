"""Puts a defect, or gates, into a program of the rig as it starts: found through PYTHONPATH, which only a test sets."""

import os

from tests.chaos import defects, gates

if os.environ["CHAOS_DEFECT"] == "gates":
    gates.install()
else:
    defects.put_in(os.environ["CHAOS_DEFECT"])
