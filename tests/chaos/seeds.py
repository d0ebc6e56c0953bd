"""Runs that every check makes: two of fixed seeds, and those whose seeds failed once."""

from tests.chaos.run import Chaos

#: Seconds that things are broken in a short run.
SHORT = 8.0
FIXED = (Chaos(1, SHORT), Chaos(2, SHORT, postgresql=True))
#: What failed once; each says why.
REGRESSIONS: tuple[Chaos, ...] = ()
