"""Seeds of the short runs: one that was chosen once, those that failed once and stay, one that nobody chose."""

import secrets

from tests.chaos.run import Chaos

#: Seconds that things are broken in a short run.
SHORT = 8.0
#: The seed that nobody chose; another one in every process.
ANY = secrets.randbelow(1_000_000)
#: 101: a fed session that was never closed kept recovery busy for ever; a good disc was taken for another one after
#: its drive had been unplugged between verdict and eject.
REGRESSIONS = (Chaos(101, SHORT, recorders=4), Chaos(101, SHORT, postgresql=True, recorders=4))
#: What every check runs.
RUNS = (*REGRESSIONS, *(Chaos(seed, SHORT, postgresql=postgresql) for seed in (1, ANY) for postgresql in (False, True)))
