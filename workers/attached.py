"""The drives that are attached to this host, whether or not a recorder is made of them yet."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from jobs.errors import DiscError
from jobs.mastering.medium import MediumInfo, MediumKind
from workers.recorders import open_device
from workers.recorders.libburn import SCHEME
from workers.recorders.scsi_devices import FoundDrive, find_drives

Document = dict[str, object]


def attached_drives(taken: Mapping[str, str], root: Path = Path("/")) -> list[Document]:
    """Describe the drives of this host; `taken` tells by device id which are recorders already, and their names.

    A drive that is a recorder is not asked anything, since it may burn; its row says what it is. `root` is where
    `sys` and `dev` are.
    """
    drives = find_drives(root)
    alike = Counter(drive.device_id for drive in drives)
    return [_document(drive, taken.get(drive.device_id), _uri(drive, alike)) for drive in drives]


def configuration(drives: Sequence[Document]) -> str:
    """Write the drives that are no recorders yet as discmill.toml has them."""
    free = (drive for drive in drives if drive["recorder"] is None)
    named = ((Path(str(drive["node"])).name, drive["uri"]) for drive in free)
    return "\n".join(f'[[recorder]]\nname = "{name}"\nuri = "{uri}"\n' for name, uri in named)


def _uri(drive: FoundDrive, alike: Mapping[str, int]) -> str:
    """Name a drive by its id, which stays; by its device file where a twin has the same id, or it has none."""
    is_known = bool(drive.device_id) and alike[drive.device_id] == 1
    return f"{SCHEME}:{drive.device_id if is_known else drive.node}"


def _document(drive: FoundDrive, recorder: str | None, uri: str) -> Document:
    facts: Document = {
        "uri": uri,
        "node": str(drive.node),
        "vendor": drive.vendor,
        "product": drive.product,
        "serial": drive.serial,
        "firmware": drive.revision,
        "recorder": recorder,
    }
    if recorder is not None:
        return {**facts, "writes": None, "medium": None, "message": f"it is the recorder {recorder}"}
    return {**facts, **_asked(drive.node)}


def _asked(node: Path) -> Document:
    """Ask a drive what it writes and what is in; where that fails, say why."""
    writes: list[str] | None = None
    medium, message = None, ""
    try:
        recorder = open_device(f"{SCHEME}:{node}").recorder
        kinds = recorder.features().kinds
        writes = [kind for kind in MediumKind if kind in kinds]
        medium = recorder.probe()
    except DiscError as error:
        message = error.message
    return {"writes": writes, "medium": _medium(medium), "message": message}


def _medium(medium: MediumInfo | None) -> Document | None:
    if medium is None:
        return None
    return {"kind": medium.kind, "status": medium.status, "free_blocks": medium.free_blocks}
