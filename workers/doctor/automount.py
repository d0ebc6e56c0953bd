"""Who else reaches for the drives: automounters of desktops, and discs that are mounted."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from workers.doctor.findings import Finding, failing, well, worrying
from workers.doctor.mounts import is_container, mounts

#: Programs that mount or open every disc that comes in, by the first 15 letters of their names, which is what the
#: kernel keeps (proc_pid_comm(5)).
_AUTOMOUNTERS = {
    "udisksd": "udisks2",
    "gvfs-udisks2-vo": "GNOME's volume monitor",
    "gvfsd-cdda": "GNOME's audio CDs",
    "udevil": "udevil",
    "devmon": "devmon",
    "udiskie": "udiskie",
    "autofs": "autofs",
    "automount": "autofs",
}
_RULE = 'SUBSYSTEM=="block", KERNEL=="sr[0-9]*", ENV{UDISKS_IGNORE}="1"'
_REMEDY = (
    f"keep it off the drives: put the line {_RULE} into /etc/udev/rules.d/99-discmill.rules, then "
    "`udevadm control --reload` and `udevadm trigger --subsystem-match=block`; on a rig without a desktop stop it"
)


def automount_findings(nodes: Sequence[Path], root: Path = Path("/")) -> Iterator[Finding]:
    """Look for programs that would take a disc before its recorder does; `nodes` are the recorders' device files."""
    found = sorted({_AUTOMOUNTERS[name] for name in _running(root) if name in _AUTOMOUNTERS})
    open_to_all = [node for node in nodes if not _is_ignored(root, node)]
    if not found:
        unseen = ", as far as a container sees; look on its host, too" if is_container(root) else ""
        yield well("automounters", f"none runs{unseen}")
    elif not open_to_all:
        kept = "udev keeps it off the drives" if nodes else "no real recorder is configured"
        yield well("automounters", f"{', '.join(found)}: {kept}")
    else:
        seen = f"{', '.join(found)} may open or mount what comes into {', '.join(map(str, open_to_all))}"
        yield worrying("automounters", seen, _REMEDY)


def mount_findings(nodes: Sequence[Path], root: Path = Path("/")) -> Iterator[Finding]:
    """Look for discs that are mounted: nothing can be burnt or read back there."""
    used = {Path(mount.source): mount.place for mount in mounts(root)}
    held = [(node, used[node]) for node in nodes if node in used]
    for node, place in held:
        yield failing("mounted discs", f"the disc in {node} is mounted on {place}", f"umount {place}")
    if not held:
        yield well("mounted discs", "none in a recorder")


def _running(root: Path) -> Iterator[str]:
    for process in (root / "proc").glob("[0-9]*"):
        try:
            yield (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue  # it has ended meanwhile


def _is_ignored(root: Path, node: Path) -> bool:
    """Say whether udev tells automounters to leave a drive alone, as its database has it."""
    try:
        device = (root / "sys/block" / node.name / "dev").read_text(encoding="ascii").strip()
        known = (root / "run/udev/data" / f"b{device}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "E:UDISKS_IGNORE=1" in known.splitlines()
