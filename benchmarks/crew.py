"""What the processes of a rig take: memory and processor time, by what each of them is."""

import os
from dataclasses import dataclass
from pathlib import Path

_MB = 1e6
#: Clock ticks a second, as proc(5) counts processor time.
_TICKS = os.sysconf("SC_CLK_TCK")
#: What tells each kind of process, in its command line; the first that fits.
_KINDS = {
    "burner": "workers.burner",
    "worker": "workers\0worker",
    "dispatcher": "workers\0dispatcher",
    "Redis": "redis-server",
    "PostgreSQL": "postgres",
}


@dataclass(frozen=True, slots=True)
class Crew:
    """Processes that descend from this one, by kind."""

    pids: dict[str, list[int]]

    @classmethod
    def muster(cls) -> "Crew":
        """Look who is there."""
        found: dict[str, list[int]] = {kind: [] for kind in _KINDS}
        for pid in _descendants(os.getpid()):
            kind = _kind(pid)
            if kind is not None:
                found[kind].append(pid)
        return cls(found)

    def memory(self) -> dict[str, list[float]]:
        """Return the megabytes of each process, by kind: proportional set sizes; those that ended are left out."""
        sizes = {kind: [memory_of(pid)["Pss"] for pid in pids] for kind, pids in self.pids.items()}
        return {kind: [size for size in found if size] for kind, found in sizes.items()}

    def processor_seconds(self) -> dict[str, float]:
        """Return the seconds that processors have worked for each kind, their children's that ended included."""
        return {kind: sum(map(_processor_seconds, pids)) for kind, pids in self.pids.items()}


def memory_of(pid: int) -> dict[str, float]:
    """Read a process's proportional set size and its private pages, in megabytes; zeros if it is gone."""
    found = {"Pss": 0.0, "private": 0.0}
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return found
    for line in lines:
        name, kilobytes = line.split()[:2]
        if name == "Pss:":
            found["Pss"] = int(kilobytes) * 1024 / _MB
        elif name in {"Private_Clean:", "Private_Dirty:"}:
            found["private"] += int(kilobytes) * 1024 / _MB
    return found


def _kind(pid: int) -> str | None:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return next((kind for kind, words in _KINDS.items() if words in command), None)


def _descendants(ancestor: int) -> list[int]:
    parents = {pid: _fields(pid)[1] for pid in map(int, filter(str.isdigit, os.listdir("/proc")))}  # noqa: PTH208
    found = [ancestor]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == str(pid)]
    return found[1:]


def _processor_seconds(pid: int) -> float:
    return sum(map(int, _fields(pid)[11:15])) / _TICKS


def _fields(pid: int) -> list[str]:
    """Read what proc(5) tells of a process, from its state on; of one that is gone that it has no parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ["X", "0", *["0"] * 20]
