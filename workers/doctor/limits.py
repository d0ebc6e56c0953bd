"""What this process may have of the system: open files."""

import resource
from collections.abc import Iterator

from workers.doctor.findings import Finding, failing, well, worrying

#: Files that one program has open at once: layers of a burn, a pool of connections, Celery's own; and with ease.
_NEEDED, _COMFORTABLE = 128, 1024


def limit_findings() -> Iterator[Finding]:
    """Look at how many files a program may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    seen = "any number of open files" if soft == resource.RLIM_INFINITY else f"{soft} open files a program"
    remedy = "`ulimit -n 4096`; for a service: LimitNOFILE=4096 in its unit, ulimits in Compose"
    if soft == resource.RLIM_INFINITY or soft >= _COMFORTABLE:
        yield well("limits", seen)
    elif soft >= _NEEDED:
        yield worrying("limits", seen, remedy)
    else:
        yield failing("limits", seen, remedy)
