"""Keeps a rig's log files small: what is full is copied aside and emptied under the program that writes it."""

import contextlib
import shutil
from pathlib import Path

#: Bytes of one file, and how many older ones are kept beside it.
MOST, KEPT = 10 << 20, 3


def rotate(path: Path, most: int = MOST, kept: int = KEPT) -> bool:
    """Rotate a file that has grown too large; say whether it had.

    Programs append to it through a handle they were given (O_APPEND), so it is copied and emptied, never replaced:
    lines written in between, within milliseconds, are the only ones that can be lost.
    """
    try:
        if path.stat().st_size < most:
            return False
    except FileNotFoundError:
        return False
    for number in range(kept, 1, -1):
        with contextlib.suppress(FileNotFoundError):
            _older(path, number - 1).replace(_older(path, number))
    shutil.copyfile(path, _older(path, 1))
    with path.open("r+b") as file:
        file.truncate(0)
    return True


def _older(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
