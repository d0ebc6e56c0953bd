"""What is mounted where, as the kernel tells this process (proc_pid_mountinfo(5))."""

import re
from dataclasses import dataclass
from pathlib import Path

_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system: where it is seen, of which type, and of which device or server."""

    place: Path
    type: str
    source: str


def mounts(root: Path = Path("/")) -> list[Mount]:
    """List what is mounted; the later hides the earlier."""
    try:
        lines = (root / "proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    return [mount for line in lines if (mount := _mount(line))]


def is_container(root: Path = Path("/")) -> bool:
    """Say whether this is the inside of a container, as far as Docker and Podman tell."""
    return (root / ".dockerenv").exists() or (root / "run/.containerenv").exists()


def mount_of(path: Path, mounted: list[Mount]) -> Mount | None:
    """Return the mount that a path lies on."""
    above = [mount for mount in mounted if path.is_relative_to(mount.place)]
    return max(above, key=lambda mount: len(mount.place.parts), default=None)


def _mount(line: str) -> Mount | None:
    before, dash, after = line.partition(" - ")
    left, right = before.split(" "), after.split(" ")
    if not dash or len(left) <= _PLACE or len(right) <= 1:
        return None
    return Mount(Path(_unescaped(left[_PLACE])), right[0], _unescaped(right[1]))


#: Which field of a line is the place.
_PLACE = 4


def _unescaped(text: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), text)
