"""Debian's kernel in an emulated machine, with modelled drives as its optical drives.

`run(script, share, drives)` boots it, runs a shell script there, and gives back how that ended. The guest has the
host's files, read-only below and its own memory above; `/share` is the folder `share` of the host. The drives are
reached by QEMU over iSCSI and passed on as SCSI devices, so the guest's own sr driver is what programs meet. In the
guest `tests.kernel.hands` puts discs in and scripts faults; the host looks at the media afterwards.

No KVM is needed: the processor is emulated, at a tenth of its speed or less.
"""

import gzip
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from jobs.mastering.medium import MediumKind
from workers.mmc.control import ControlServer
from workers.mmc.drive import Drive
from workers.mmc.iscsi_target import IscsiTarget
from workers.mmc.shelf import Shelf

ROOT = Path(__file__).parents[2]
KERNEL = ROOT / "build" / "kernel"
#: Seconds after which a guest is ended, whatever it does; the longest takes a sixth of it on two quiet cores.
DEADLINE = 1800.0
#: What the guest needs before it sees the host's files; what else it needs it loads from there.
_FIRST_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
_MEMORY = 3072  #: MiB
#: What scripts begin with: the drives' drivers, a user who may burn and nothing else, and words for what they do:
#: `device_files` gives drives and changers to the group, as udev does; `burner COMMAND...` is that user;
#: `until_ COMMAND...` waits for what must happen. The guest's end is the limit of all waiting.
PROLOGUE = f"""set -eu
modprobe -a virtio_scsi sr_mod sg virtio_console
echo burner:x:4711:4711::/tmp:/bin/sh >>/etc/passwd
echo burner:x:4711: >>/etc/group
sed -i 's/^\\(cdrom:[^:]*:[^:]*\\):.*/\\1:burner/' /etc/group
chmod o+x {shlex.join(str(folder) for place in (ROOT, sys.base_prefix) for folder in Path(place).parents)}
cd {shlex.quote(str(ROOT))}
python={shlex.quote(sys.executable)}
device_files() {{
    for file in /dev/sr* /dev/sg* /dev/vport*; do
        if [ -e "$file" ]; then chgrp cdrom "$file"; chmod 660 "$file"; fi
    done
}}
device_files
burner() {{ setpriv --reuid burner --regid burner --init-groups "$@"; }}
until_() {{ while ! "$@"; do sleep 0.2; done; }}
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a guest ended: its script's exit code (None: it never got there), what it said, what the kernel said."""

    code: int | None
    said: str
    console: str


def run(script: str, share: Path, drives: Sequence[Drive] = (), deadline: float = DEADLINE) -> Ended:
    """Boot a guest, run a shell script in it as root, wait for its end."""
    share.chmod(0o755)  # whoever the script becomes may read it
    (share / "script").write_text(PROLOGUE + script)
    with ExitStack() as stack:
        shelf = stack.enter_context(Shelf(share / "media"))
        for drive in drives:
            drive.mechanism.insert(shelf.blank(MediumKind.CD_R))  # QEMU asks for the capacity when it starts
            stack.enter_context(ControlServer(drive, shelf, share / drive.serial))
        target = stack.enter_context(IscsiTarget(drives))
        command = [*_machine(share), *_devices(target, drives, share)]
        return _boot(command, share, deadline)


def _boot(command: list[str], share: Path, deadline: float) -> Ended:
    with (share / "console").open("wb") as console:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        try:
            process.wait(deadline)
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
            process.wait()
    code = _text(share / "code").strip()
    said, told = _text(share / "said"), _text(share / "console")
    return Ended(int(code) if code else None, said, told)


def _text(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""


def _machine(share: Path) -> Iterator[str]:
    (kernel,) = (KERNEL / "boot").glob("vmlinuz-*")
    yield from ("setpriv", "--pdeathsig", "KILL", "nice", "-n", "10")  # it ends with the tests, however they end
    yield from ("qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max")
    yield from ("-smp", "2", "-m", str(_MEMORY), "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio")
    yield from ("-kernel", str(kernel), "-initrd", str(_first_files(share)))
    yield from ("-append", "console=ttyS0 quiet panic=-1 mitigations=off")
    yield from ("-virtfs", "local,path=/,mount_tag=hostroot,security_model=none,readonly=on,multidevs=remap")
    yield from ("-virtfs", f"local,path={share},mount_tag=share,security_model=none,multidevs=remap")


def _devices(target: IscsiTarget, drives: Sequence[Drive], share: Path) -> Iterator[str]:
    yield from ("-device", "virtio-scsi-pci", "-device", "virtio-serial-pci")
    for drive in drives:
        name = drive.serial
        yield from ("-drive", f"if=none,id={name},file={target.url(drive)},format=raw,cache=none")
        yield from ("-device", f"scsi-generic,drive={name}")
        yield from ("-chardev", f"socket,id=hands-{name},path={share / name}")
        yield from ("-device", f"virtserialport,chardev=hands-{name},name={name}")


def _first_files(share: Path) -> Path:
    """Make what the kernel starts from: a shell, the script that mounts the host's files, the modules that it takes."""
    (tree,) = (KERNEL / "lib" / "modules").iterdir()
    needed = _closure(tree.name)
    folder = share / "initrd"
    (folder / "bin").mkdir(parents=True)
    (folder / "modules").mkdir()
    (folder / "bin" / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (folder / "init").write_bytes((ROOT / "tests" / "kernel" / "init").read_bytes())
    for program in (folder / "bin" / "busybox", folder / "init"):
        program.chmod(0o755)
    for module in needed:
        (folder / "modules" / module.name).write_bytes(module.read_bytes())
    (folder / "modules" / "order").write_text("\n".join(module.name for module in needed) + "\n")
    (folder / "modules" / "tree").write_text(f"{tree.parent}\n")
    names = "\n".join(str(path.relative_to(folder)) for path in sorted(folder.rglob("*")))
    packed = subprocess.run(
        ["cpio", "--create", "--format=newc", "--quiet"],
        cwd=folder,
        input=names.encode(),
        capture_output=True,
        check=True,
    )
    archive = share / "initrd.gz"
    archive.write_bytes(gzip.compress(packed.stdout, compresslevel=1))
    return archive


def _closure(version: str) -> list[Path]:
    """List the files of the first modules, each after those it needs."""
    found: list[Path] = []
    for module in _FIRST_MODULES:
        command = ["modprobe", "--dirname", str(KERNEL), "--set-version", version, "--show-depends", module]
        path = f"/usr/sbin:/sbin:{os.defpath}"
        asked = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=True)
        files = [Path(line.split()[1]) for line in asked.stdout.splitlines() if line.startswith("insmod ")]
        found += [file for file in files if file not in found]
    return found
