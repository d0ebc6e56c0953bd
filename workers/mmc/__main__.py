"""A modelled drive to try burn programs with: `python -m workers.mmc FOLDER`, and in another terminal

. FOLDER/environment                        # /dev/sr0 is the modelled drive for programs started from here
python -m workers.mmc FOLDER insert cd-r
xorriso -outdev /dev/sr0 -toc
python -m workers.mmc FOLDER fault write-error@700

With --iscsi it is there for iSCSI initiators, too: a kernel's, or QEMU's.
"""  # noqa: D415  (the sentence goes on in the example)

import argparse
import contextlib
import json
import shlex
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from jobs.errors import DiscError
from workers.mmc.control import ControlServer
from workers.mmc.drive import Drive
from workers.mmc.iscsi_target import LOOPBACK, PORT, IscsiTarget
from workers.mmc.server import DriveServer
from workers.mmc.shelf import Shelf
from workers.mmc.shim import build_shim, environment

_LAST_PORT = 65_535


def main(arguments: list[str]) -> int:
    """Serve a drive, or handle one that is served; return the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        if asked.do is None:
            drive = Drive(asked.serial, asked.rate)
            serve(asked.folder.absolute(), asked.device, drive, asked.iscsi)
            return 0
        answer = ask(asked.folder / "control", _request(asked))
    except (DiscError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(answer, indent=1) + "\n")
    return 0 if answer["ok"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.mmc", description="A recorder made of SCSI commands.")
    parser.add_argument("folder", type=Path, help="where its sockets, its media and the shim are")
    parser.add_argument("--device", default="/dev/sr0", help="the device file that programs will see")
    parser.add_argument("--serial", default="MM000001")
    parser.add_argument("--rate", type=float, help="bytes a second that it writes")
    parser.add_argument(
        "--iscsi",
        nargs="?",
        type=_address,
        const=(LOOPBACK, PORT),
        metavar="HOST:PORT",
        help=f"serve it over iSCSI, too, without any password (default: {LOOPBACK}:{PORT})",
    )
    commands = parser.add_subparsers(dest="do", metavar="insert|close|remove|fault|unplug|replug|state")
    insert = commands.add_parser("insert")
    insert.add_argument("kind")
    insert.add_argument("--capacity", type=int, help="blocks of 2048 bytes")
    commands.add_parser("fault").add_argument("specs", nargs="*")
    for name in ("close", "remove", "unplug", "replug", "state"):
        commands.add_parser(name)
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no address; say HOST:PORT, port 0 for any that is free")
    return host, int(port)


def _request(asked: argparse.Namespace) -> dict[str, Any]:
    facts = {key: value for key, value in vars(asked).items() if key in {"do", "kind", "capacity", "specs"}}
    return {key: value for key, value in facts.items() if value is not None}


def serve(folder: Path, device: str, drive: Drive, iscsi: tuple[str, int] | None = None) -> None:
    """Serve a drive until SIGINT or SIGTERM.

    Raises:
        RecorderError: the shim can't be compiled.
        OSError: the folder can't hold the sockets, the port is taken, or another drive is served there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    variables = environment(build_shim(folder), {device: folder / "drive"})
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    with contextlib.ExitStack() as stack:
        shelf = stack.enter_context(Shelf(folder / "media"))
        stack.enter_context(DriveServer(drive, folder / "drive"))
        stack.enter_context(ControlServer(drive, shelf, folder / "control"))
        (folder / "environment").write_text(lines)
        sys.stdout.write(f"{device} is served; load it with: . {folder / 'environment'}\n")
        if iscsi is not None:
            target = stack.enter_context(IscsiTarget([drive], *iscsi))
            sys.stdout.write(f"{target.url(drive)}\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


def ask(control: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Ask a drive that another process serves.

    Raises:
        OSError: it is not served.
    """
    with socket.socket(socket.AF_UNIX) as line, line.makefile("rw") as words:
        line.connect(str(control))
        words.write(json.dumps(request) + "\n")
        words.flush()
        answer: dict[str, Any] = json.loads(words.readline())
        return answer


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})  # sigwait takes them, in one thread
    sys.exit(main(sys.argv[1:]))
