"""What is ordered: the Python API, and the rules behind it."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobs.client import Client, JobHandle, Report
    from jobs.ordering import Boot, audio_disc, data_disc, image_disc, manifest_disc

__all__ = ["Boot", "Client", "JobHandle", "Report", "audio_disc", "data_disc", "image_disc", "manifest_disc"]

_HOMES = {
    "Client": "jobs.client",
    "JobHandle": "jobs.client",
    "Report": "jobs.client",
    "Boot": "jobs.ordering",
    "audio_disc": "jobs.ordering",
    "data_disc": "jobs.ordering",
    "image_disc": "jobs.ordering",
    "manifest_disc": "jobs.ordering",
}


def __getattr__(name: str) -> object:
    """Import the API when it is asked for: the burner imports this package too, and must start in a moment."""
    if name not in _HOMES:
        message = f"module 'jobs' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOMES[name]), name)
