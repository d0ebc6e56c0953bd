"""Gates that a rig's workers and burners wait at while a test keeps them shut: how a fault meets a chosen stage.

Test code, put into workers by the hook, and by them into their burners; a gate is a file, and who waits at it leaves
another one.
"""

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.chaos.defects import HOOK, ROOT, replace_name

#: What lies behind each gate.
GATES = {
    "preparing": "the permit to write",
    "closing": "reading back what was written",
    "settled": "letting the disc go",
    "permit": "the commit of the permit to write",
    "verdict": "the commit of the verdict",
    "burner preparing": "the burner's first byte",
    "burner closing": "closing the session",
}
_LOOK = 0.01


class Gates:
    """The test's side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    @property
    def environment(self) -> Mapping[str, str]:
        """What the rig's programs have to see."""
        path = f"{HOOK}{os.pathsep}{ROOT}"
        return {"PYTHONPATH": path, "CHAOS_DEFECT": "gates", "CHAOS_GATES": str(self.folder)}

    def shut(self, name: str) -> None:
        """Let every worker wait here from now on."""
        (self.folder / name).touch()

    def open(self) -> None:
        """Let all go on."""
        for name in GATES:
            (self.folder / name).unlink(missing_ok=True)

    def waits(self, name: str, attempt: str) -> bool:
        """Say whether an attempt's worker waits at a gate, or was killed there."""
        return (self.folder / f"{name}.{attempt}").exists()


def install() -> None:
    """Put the gates into this process."""
    from jobs import ledger  # noqa: PLC0415  (not every program of a rig has them)
    from workers import attempt, settling  # noqa: PLC0415
    from workers.recorders import waiting_burner  # noqa: PLC0415

    folder = Path(os.environ["CHAOS_GATES"])
    if "FAKETIME_TIMESTAMP_FILE" in os.environ:  # libfaketime moves the end of a sleep, too, and that fails
        replace_name("sleep", lambda seconds: select.select([], [], [], seconds), time)
    permit, burn, dispose = attempt._Permit.__call__, attempt._burn, settling.dispose
    journal, settle = ledger.permit, ledger.settle

    def gated_journal(db: Any, attempt_id: str, *rest: Any, **named: Any) -> None:  # noqa: ANN401
        journal(db, attempt_id, *rest, **named)
        _flush_and_wait(db, folder, "permit", attempt_id)

    def gated_settle(db: Any, attempt_id: str, *rest: Any, **named: Any) -> object:  # noqa: ANN401
        outcome = settle(db, attempt_id, *rest, **named)
        _flush_and_wait(db, folder, "verdict", attempt_id)
        return outcome

    def gated_permit(self: Any, found: Any) -> None:  # noqa: ANN401
        _wait(folder, "preparing", self.task.work.attempt)
        permit(self, found)

    def gated_burn(station: Any, task: Any, *rest: Any) -> object:  # noqa: ANN401
        burnt: object = burn(station, task, *rest)
        _wait(folder, "closing", task.work.attempt)
        return burnt

    def gated_dispose(station: Any, work: Any, outcome: Any) -> None:  # noqa: ANN401
        _wait(folder, "settled", work.attempt)
        dispose(station, work, outcome)

    for owner, name, by in (
        (attempt._Permit, "__call__", gated_permit),
        (attempt, "_burn", gated_burn),
        (settling, "dispose", gated_dispose),
        (ledger, "permit", gated_journal),
        (ledger, "settle", gated_settle),
        (waiting_burner, "_spawn", _spawn_gated),
    ):
        replace_name(name, by, owner)


def _spawn_gated(line: socket.socket, sink: str, image: Path | None) -> "subprocess.Popen[bytes]":
    """Start a burner as a worker does, with gates in it."""
    from jobs.settings import program_environment  # noqa: PLC0415

    command = [sys.executable, "-S", "-P", "-X", "utf8", "-m", "tests.chaos.gates", "workers.burner"]
    expected = [] if image is None else [str(image.absolute())]
    return subprocess.Popen(
        [*command, str(line.fileno()), sink, *expected],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**program_environment(), "PYTHONPATH": str(ROOT), "CHAOS_GATES": os.environ["CHAOS_GATES"]},
        pass_fds=[line.fileno()],
        start_new_session=True,
    )


def _run_burner(arguments: list[str]) -> int:
    """Be a burner of an emulated disc that waits at its gates; which attempt's, its folder of evidence tells."""
    from workers import burner  # noqa: PLC0415
    from workers.evidence import EvidenceWriter  # noqa: PLC0415
    from workers.recorders.emulated_sink import EmulatedSink  # noqa: PLC0415

    folder, attempts = Path(os.environ["CHAOS_GATES"]), [""]
    check, close = EmulatedSink.check, EmulatedSink.close

    class Evidence(EvidenceWriter):
        def __init__(self, evidence: Path) -> None:
            super().__init__(evidence)
            attempts.append(evidence.name)

    def gated_check(self: EmulatedSink) -> None:
        _wait(folder, "burner preparing", attempts[-1])
        check(self)

    def gated_close(self: EmulatedSink) -> None:
        _wait(folder, "burner closing", attempts[-1])
        close(self)

    replace_name("check", gated_check, EmulatedSink)
    replace_name("close", gated_close, EmulatedSink)
    replace_name("EvidenceWriter", Evidence, burner)
    return burner.main(arguments)


def _flush_and_wait(db: Any, folder: Path, gate: str, attempt: str) -> None:  # noqa: ANN401
    """Wait with all statements sent and nothing committed."""
    db.flush()
    _wait(folder, gate, attempt)


def _wait(folder: Path, gate: str, attempt: str) -> None:
    sign = folder / f"{gate}.{attempt}"
    if (folder / gate).exists():
        sign.touch()
    while (folder / gate).exists():
        time.sleep(_LOOK)
    sign.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(_run_burner(sys.argv[2:]))
