"""The recorders' drives: whether they are there, whether this user may use them, and whether they answer."""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import DiscError, NotFound, RecorderBusy
from jobs.mastering.recorder import DiscRecorder
from jobs.settings import RecorderSetting
from workers.doctor.findings import Finding, failing, well, worrying
from workers.doctor.mounts import is_container
from workers.loaders.changer_uri import device_of
from workers.locks import FileLock, is_free
from workers.recorders import open_device
from workers.recorders.libburn import SCHEME
from workers.recorders.scsi_devices import changers, find_drive

#: Reading and writing by the group.
_GROUP_USES = stat.S_IRGRP | stat.S_IWGRP
_HAND_IN = "in a container: hand it in (devices:, and group_add: with the group's number)"


def node_of(recorder: RecorderSetting, root: Path = Path("/")) -> Path | None:
    """Return the device file of a real recorder; None for another kind, or one that is not attached."""
    if recorder.uri.partition(":")[0] != SCHEME:
        return None
    wanted = device_of(recorder.uri)
    try:
        return find_drive(wanted, root).node
    except NotFound:
        return Path(wanted) if wanted.startswith("/") else None


def drive_findings(recorder: RecorderSetting, root: Path = Path("/")) -> Iterator[Finding]:
    """Look at one recorder, as far as possible without disturbing a burn."""
    name, is_real = f"recorder {recorder.name}", recorder.uri.startswith(f"{SCHEME}:")
    if is_real:
        faults = list(_node_faults(name, recorder, root))
        if faults:
            yield from faults
            return
    try:
        device = open_device(recorder.uri)
        yield _asked(name, device.recorder) if is_real else well(name, f"{recorder.uri}, not a real drive")
    except RecorderBusy as error:
        yield worrying(name, error.message, "close the other program, or umount the disc")
    except DiscError as error:
        yield failing(name, f"{recorder.uri}: {error.message}", "`discmill recorders attached` lists what is there")


def changer_findings(root: Path = Path("/")) -> Iterator[Finding]:
    """Look at the media changers of this host: whether this user may move their discs."""
    for node in changers(root):
        fault = permission_fault(f"changer {node}", node)
        yield fault or well(f"changer {node}", "may be used")


def _node_faults(name: str, recorder: RecorderSetting, root: Path) -> Iterator[Finding]:
    node = node_of(recorder, root)
    if node is None:
        remedy = "see to its cable and power; `discmill recorders attached` lists what is there"
        yield failing(name, f"no drive is called {device_of(recorder.uri)!r} here", remedy)
        return
    fault = permission_fault(name, node)
    if fault is not None:
        yield fault


def _asked(name: str, recorder: DiscRecorder) -> Finding:
    """Ask a drive who it is and what is in, if nobody uses it."""
    who = recorder.identify()
    drive = f"{who.vendor} {who.product}, firmware {who.revision or 'unknown'}, serial {who.serial or 'unknown'}"
    owner = "" if is_free(recorder.locks / "owner") else "; its worker runs"
    try:
        with FileLock(recorder.locks / "drive"):
            pass
    except RecorderBusy:
        return well(name, f"{drive}; in use, so it is asked nothing more")
    medium = recorder.probe()
    tray = "the tray is empty" if medium is None else f"a {medium.kind} is in, {medium.status}"
    return well(name, f"{drive}; {tray}{owner}")


def permission_fault(name: str, node: Path) -> Finding | None:
    """Say why this user can't use a device file; None if that is possible."""
    if not node.exists():
        where = f"; {_HAND_IN}" if is_container() else ""
        return failing(name, f"there is no {node}", f"see to its cable and power{where}")
    if os.access(node, os.R_OK | os.W_OK):
        return None
    return _not_permitted(name, node, _Who.me())


@dataclass(frozen=True, slots=True)
class _Who:
    """A user as this process is one; `member_of` are the groups that the system's files say."""

    name: str
    groups: frozenset[int]
    member_of: frozenset[int]

    @classmethod
    def me(cls) -> "_Who":
        """Return the user of this process."""
        try:
            account = pwd.getpwuid(os.geteuid())
        except KeyError:
            return cls(str(os.geteuid()), frozenset(os.getgroups()), frozenset())
        listed = frozenset(os.getgrouplist(account.pw_name, account.pw_gid))
        return cls(account.pw_name, frozenset({*os.getgroups(), os.getegid()}), listed)


def _not_permitted(name: str, node: Path, who: _Who) -> Finding:
    status = node.stat()
    group = _group(status.st_gid)
    seen = f"{node} is {_user(status.st_uid)}:{group} {stat.S_IMODE(status.st_mode):04o}; {who.name} may not use it"
    open_to_group = status.st_mode & _GROUP_USES == _GROUP_USES
    inside = f'; for a container: group_add: ["{status.st_gid}"]' if is_container() else ""
    if not open_to_group:
        kept = 'to keep it so, a udev rule with MODE="0660", GROUP="cdrom"'
        return failing(name, seen, f"chmod 0660 {node}; {kept}{inside}")
    if status.st_gid in who.member_of - who.groups:
        return failing(name, f"{seen} yet: it has joined {group}", "log in anew, or restart the service")
    return failing(name, seen, f"usermod -aG {group} {who.name}, then log in anew{inside}")


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
