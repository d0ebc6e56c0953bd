"""Seeds that failed once and stay: every check runs them, and one that nobody chose."""

from tests.chaos.run import Chaos

#: Seconds that things are broken in a short run.
SHORT = 8.0
#: 101: a fed session that was never closed kept recovery busy for ever; a good disc was taken for another one after
#: its drive had been unplugged between verdict and eject.
REGRESSIONS = (Chaos(101, SHORT, recorders=4), Chaos(101, SHORT, postgresql=True, recorders=4))
