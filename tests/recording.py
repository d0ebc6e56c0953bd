"""Transcripts of burn programs: read for tests, and recorded anew with `python -m tests.recording [NAME...]`.

The first line of a transcript names the program and its version, the next two what was asked and the exit code; then
come the lines of both streams, each with its name. Lines that a carriage return ends are lines too.
"""

import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from jobs.mastering.medium import MediumKind
from tests.burn_programs import an_album, an_image
from tests.scsi_rig import NODE, Ran, ScsiRig, ended, scsi_rig
from workers.mmc.shim import build_shim

FOLDER = Path(__file__).parent / "transcripts"
XORRISO = f"xorriso -report_about UPDATE -pkt_output on -as cdrecord -v dev={NODE} fs=1m padsize=0 -sao image.iso"
CDRSKIN = f"cdrskin -v dev={NODE} fs=1m padsize=0 -sao image.iso"
AUDIO = f"cdrskin -v dev={NODE} -sao -text cuefile=disc.cue"


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a program said."""

    program: str
    command: str
    exit_code: int
    lines: list[str]


def read_transcript(name: str) -> Transcript:
    program, command, code, *lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    said = [re.sub(r"^(out|err): ", "", line) for line in lines]
    return Transcript(program, command.removeprefix("command: "), int(code.removeprefix("exit: ")), said)


def names(program: str) -> list[str]:
    return sorted(path.stem for path in FOLDER.glob(f"{program}-*.txt"))


def in_the_midst(do: Callable[[ScsiRig, "subprocess.Popen[str]"], None]) -> Callable[..., None]:
    """Do something once blocks are written."""

    def wait_and_do(rig: ScsiRig, program: "subprocess.Popen[str]") -> None:
        while rig.drive.mechanism.medium.next_writable < 200 and program.poll() is None:
            time.sleep(0.02)
        do(rig, program)

    return wait_and_do


def terminate(_: ScsiRig, program: "subprocess.Popen[str]") -> None:
    program.send_signal(signal.SIGTERM)


@dataclass(frozen=True)
class Case:
    """One recording: a command, the medium it meets, the faults that wait, what was burnt before, what is done."""

    command: str
    kind: MediumKind | None = MediumKind.CD_R
    capacity: int | None = None
    faults: tuple[str, ...] = ()
    before: str = ""
    rate: float | None = None
    act: Callable[[ScsiRig, "subprocess.Popen[str]"], None] | None = None
    #: Blocks of the image.
    blocks: int = 1600
    files: dict[str, str] = field(default_factory=dict)


DVD = MediumKind.DVD_PLUS_R
_SLOW = 600_000.0


def _cases_of(name: str, command: str) -> dict[str, Case]:
    return {
        f"{name}-cd-r": Case(command, rate=1_500_000),
        f"{name}-dvd+r": Case(command, DVD),
        f"{name}-bd-re": Case(command.replace("-sao", "blank=as_needed -sao"), MediumKind.BD_RE),
        f"{name}-no-medium": Case(command, None),
        f"{name}-closed": Case(command, before=CDRSKIN),
        f"{name}-too-big": Case(command, capacity=1000),
        f"{name}-write-error": Case(command, faults=("write-error@700",)),
        f"{name}-sync-error": Case(command, faults=("sync-error",)),
        f"{name}-close-error": Case(command, DVD, faults=("close-error",)),
        f"{name}-unplugged": Case(command, faults=("unplug@700",)),
        f"{name}-medium-removed": Case(command, faults=("remove@700",)),
        f"{name}-sigterm": Case(command, rate=_SLOW, act=in_the_midst(terminate)),
        f"{name}-simulated": Case(command.replace("-sao", "-dummy -sao")),
        f"{name}-simulated-dvd+r": Case(command.replace("-sao", "-dummy -sao"), DVD),
        f"{name}-blanked": Case(re.sub(r" fs=.*", " blank=as_needed", command), MediumKind.CD_RW, before=CDRSKIN),
        f"{name}-busy": Case(f"held {command}"),
    }


CASES = {
    **_cases_of("xorriso", XORRISO),
    **_cases_of("cdrskin", CDRSKIN),
    "cdrskin-audio": Case(AUDIO, rate=1_500_000),
    "cdrskin-audio-on-dvd": Case(AUDIO, DVD),
    "cdrskin-audio-write-error": Case(AUDIO, faults=("write-error@700",)),
    "cdrskin-audio-too-big": Case(AUDIO, capacity=1700),
    "cdrskin-audio-sigterm": Case(AUDIO, rate=_SLOW, act=in_the_midst(terminate)),
}

_HOLDER = (
    f"import os, sys; os.open({NODE!r}, os.O_RDWR | os.O_NONBLOCK | os.O_EXCL); print(1, flush=True); sys.stdin.read()"
)


def record(shim: Path, case: Case) -> Ran:
    """Run a case on a drive of its own."""
    with tempfile.TemporaryDirectory(prefix="dm-") as folder, scsi_rig(shim, Path(folder), case.rate) as rig:
        an_image(rig.folder, blocks=case.blocks)
        an_album(rig.folder)
        if case.kind is not None:
            rig.insert(case.kind, case.capacity)
        if case.before:
            rig.run(*case.before.split())
        rig.fault(*case.faults)
        command = case.command.split()
        if command[0] == "held":
            rig.start_talking(sys.executable, "-c", _HOLDER)
            command = command[1:]
        program = rig.start(*command)
        if case.act is not None:
            threading.Thread(target=case.act, args=(rig, program), daemon=True).start()
        ran = ended(program)
        return Ran(ran.code, ran.out.replace(folder, "/rig"), ran.err.replace(folder, "/rig"))


def version_of(program: str) -> str:
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    found = re.search(rf"{program} *(?:version *:)? *([0-9][0-9.]*)", said.stdout + said.stderr)
    return f"{program} {found[1] if found else '?'}"


def main(wanted: list[str]) -> None:
    """Record all transcripts, or those that are named."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        shim = build_shim(Path(folder))
        for name, case in CASES.items():
            if not wanted or name in wanted:
                ran = record(shim, case)
                command = case.command.removeprefix("held ")
                lines = [version_of(command.split()[0]), f"command: {command}", f"exit: {ran.code}"]
                for stream, text in (("out", ran.out), ("err", ran.err)):
                    lines += [f"{stream}: {line.rstrip()}" for line in re.split(r"[\r\n]", text) if line.strip()]
                (FOLDER / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
