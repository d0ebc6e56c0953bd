"""One disc on the bench: burnt through DiscMaster and read back as a worker does it, with a watch beside it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from jobs.cli.console import is_watched, stderr
from jobs.errors import MediumDiffers, MediumUnsuitable, RecorderMissing
from jobs.mastering.master import DiscMaster, RecordOptions
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import AUDIO_BLOCK, Family, MediumInfo
from jobs.mastering.progress import BlockProgress, ClosingDisc, ProgressEvent, VerifyProgress
from jobs.mastering.recorder import Device
from jobs.mastering.verification import Comparison, describe
from models.vocabulary import DiscFormat
from workers.evidence import LOG
from workers.proof import compare_disc

#: Bytes of a burn's log that a report keeps: its end.
_LOG = 20_000
#: Seconds of writing from which on a speed tells something.
_TELLING = 0.5


@dataclass(slots=True)
class Meter:
    """Hears a burn, and calls it off where that is wanted: by an operator, or after its first blocks."""

    called_off: Callable[[], bool] = lambda: False
    abort: bool = False
    first: float | None = None
    last: float = 0.0
    asked: float = 0.0
    closing: float = 0.0
    blocks: int = 0
    top_speed_x: float = 0.0

    def notify(self, event: ProgressEvent) -> None:
        """Note when blocks were written, and how fast."""
        now = time.monotonic()
        if isinstance(event, BlockProgress):
            self.first = now if self.first is None else self.first
            self.last, self.blocks = now, event.done
            self.top_speed_x = max(self.top_speed_x, event.speed_x)
            _show("writing", event.done, event.total)
        elif isinstance(event, VerifyProgress):
            _show("reading back", event.done, event.total)
        elif isinstance(event, ClosingDisc):
            self.closing = now

    def query_cancel(self) -> bool:
        """Say whether to stop."""
        if self.abort and self.blocks and not self.asked:
            self.asked = time.monotonic()
        return bool(self.asked) or self.called_off()


@dataclass(frozen=True, slots=True)
class Read:
    """What reading a disc back showed: its comparison, or why it can't be read."""

    comparison: Comparison | None
    fault: str
    seconds: float


@dataclass(slots=True)
class Bench:
    """A device with a blank in it; `folder` keeps the evidence of this step's burns."""

    device: Device
    folder: Path
    meter: Meter
    is_burning: bool = False
    _burns: int = field(default=0)

    def burn(self, stored: StoredMaster, chosen: MediumInfo, label: str, speed: float | None = None) -> None:
        """Burn a master on the disc that was chosen, at a multiple of 1x or as fast as can be.

        Raises:
            DiscError: what happened instead.
        """
        self._burns += 1
        disc_format = DiscFormat.JOLIET if stored.programme is None else DiscFormat.REDBOOK
        with DiscMaster([self.device.recorder]).open() as master:
            master.set_format(disc_format)
            recorders = master.recorders()
            if not recorders:
                raise RecorderMissing(f"the recorder is gone, or can't burn {disc_format} discs")
            master.set_recorder(recorders[0])
            master.advise(self.meter)
            master.stage(stored)
            evidence = self.folder / f"burn-{self._burns}"
            self.is_burning = True
            try:
                master.record(RecordOptions(evidence, label, speed=speed), _only(chosen))
            finally:
                self.is_burning = False

    def read_back(self, stored: StoredMaster, family: Family) -> Read:
        """Read the disc back and compare it with its master."""
        began = time.monotonic()
        try:
            comparison = compare_disc(self.device.recorder, family, stored, self.meter)
        except MediumDiffers as error:
            return Read(None, error.message, time.monotonic() - began)
        fault = "" if comparison.equal else describe(comparison.differences)
        return Read(comparison, fault, time.monotonic() - began)

    def speed_x(self, stored: StoredMaster, family: Family) -> float:
        """Return how fast blocks were written on average, in multiples of 1x; 0 where it was too short to tell."""
        first = self.meter.first
        seconds = 0.0 if first is None else (self.meter.closing or self.meter.last) - first
        audio = stored.block_size == AUDIO_BLOCK
        rate_1x = 75 * AUDIO_BLOCK if audio else family.speed_1x
        return round(stored.size / seconds / rate_1x, 1) if seconds > _TELLING else 0.0

    def log(self) -> str:
        """Return the end of what burner and burn program said."""
        files = sorted(self.folder.glob(f"burn-*/{LOG}"))
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)[-_LOG:]


def _only(chosen: MediumInfo) -> Callable[[MediumInfo], None]:
    """Permit to write the disc that was chosen, and no other."""

    def permit(found: MediumInfo) -> None:
        if found.load != chosen.load or found.used:
            message = "the medium was changed after it was chosen"
            raise MediumUnsuitable(message)

    return permit


def _show(what: str, done: int, total: int) -> None:
    """Keep one line of a terminal up to date."""
    console = stderr()
    if is_watched(console):
        console.file.write(f"\r  {what}: {done}/{total} blocks ")
        if done >= total:
            console.file.write("\n")
        console.file.flush()
