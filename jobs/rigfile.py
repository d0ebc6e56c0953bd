"""What a running embedded rig notes in its home, for other terminals and for the next start."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

_NAME = "rig.json"


@dataclass(frozen=True, slots=True)
class RigState:
    """A running rig: its address, where its workers may read, its processes (id -> start time, in clock ticks)."""

    pid: int
    flower: str | None
    content_roots: list[str]
    processes: dict[str, str] = field(default_factory=dict)

    def save(self, home: Path) -> None:
        """Write the note, all at once."""
        draft = home / f"{_NAME}.new"
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        draft.replace(home / _NAME)


def read_rig(home: Path) -> RigState | None:
    """Read the note of the rig in this home; None where there is none."""
    try:
        return RigState(**json.loads((home / _NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def forget_rig(home: Path) -> None:
    """Take the note away."""
    (home / _NAME).unlink(missing_ok=True)
