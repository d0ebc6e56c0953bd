"""Writing files so that a power cut leaves the old content or the new, never half of it."""

import os
from pathlib import Path


def write_durably(path: Path, text: str) -> None:
    """Replace a file's content, on the disk when this returns. `path` must have one writer at a time."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", encoding="utf-8", errors="surrogateescape") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def append_durably(handle: int, line: str) -> None:
    """Append a line, in one write where the disk has room for it; on the disk when this returns."""
    left = f"{line}\n".encode(errors="surrogateescape")
    while left:
        left = left[os.write(handle, left) :]
    os.fsync(handle)


def open_to_append(path: Path, *, new: bool = False) -> int:
    """Open a file for appending and make its name durable; its descriptor is not inherited.

    Raises:
        FileExistsError: it was to be new and is there.
    """
    once = os.O_EXCL if new else 0
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | once, 0o644)
    sync_folder(path.parent)
    return handle


def sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk: a file's own fsync does not."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
