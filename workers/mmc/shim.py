"""The library that puts modelled drives before programs: compiled from `shim.c`, loaded with LD_PRELOAD."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from jobs.errors import RecorderError

_SOURCE = Path(__file__).with_name("shim.c")
_VARIABLE = "DISCMILL_MMC"
#: What the compiler starts with.
_PLAIN = {"PATH": os.defpath, "LC_ALL": "C"}


def build_shim(folder: Path) -> Path:
    """Compile the shim into a folder; return it.

    Raises:
        RecorderError: there is no compiler, or it refuses.
    """
    library = folder / "shim.so"
    command = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", str(library), str(_SOURCE)]
    try:
        subprocess.run([*command, "-ldl", "-lpthread"], env=_PLAIN, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise RecorderError("the shim can't be compiled: gcc is missing; install it") from error
    except subprocess.CalledProcessError as error:
        raise RecorderError(f"the shim can't be compiled: {error.stderr}") from error
    return library


def environment(library: Path, drives: Mapping[str, Path]) -> dict[str, str]:
    """Return the variables that give a program these device files, each answered for at a socket."""
    return {"LD_PRELOAD": str(library), _VARIABLE: ":".join(f"{node}={path}" for node, path in drives.items())}
