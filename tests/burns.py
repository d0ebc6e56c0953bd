"""What tests of burns share: small images with a source, orders of them, an ear, an emulated drive."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from jobs.mastering.checksums import take_checksums
from jobs.mastering.extents import Extent, Source
from jobs.mastering.image import ExtentMap
from jobs.mastering.medium import AUDIO_BLOCK, BLOCK, MediumInfo, MediumKind
from jobs.mastering.programme import DiscText, Programme, Track
from jobs.mastering.progress import ProgressEvent
from jobs.mastering.recorder import BurnOrder, Device
from workers.recorders import open_device
from workers.recorders.emulated_drive import EmulatedDrive

#: Seconds until a test gives up waiting for what must happen; generous, since machines are slow at times.
DEADLINE = 60.0


@dataclass(slots=True)
class Ear:
    """Hears a burn; `cancel` is asked whether to call it off, `on_event` may act in its midst."""

    events: list[ProgressEvent] = field(default_factory=list)
    cancel: Callable[[], bool] = lambda: False
    on_event: Callable[[ProgressEvent], object] = lambda _: None

    def notify(self, event: ProgressEvent) -> None:
        self.events.append(event)
        self.on_event(event)

    def query_cancel(self) -> bool:
        return self.cancel()

    def heard(self, kind: type[ProgressEvent]) -> list[ProgressEvent]:
        return [event for event in self.events if isinstance(event, kind)]


def allow(_: MediumInfo) -> None:
    """Permit any medium."""


@dataclass(frozen=True, slots=True)
class Content:
    """An image in a folder, and the file that it reads from; `evidence` is where its burns leave theirs."""

    folder: Path
    image: ExtentMap
    sha256: str
    source: Path
    evidence: Path
    programme: Programme | None = None

    def order(self, name: str = "burn", *, simulate: bool = False, speed: float | None = None) -> BurnOrder:
        return BurnOrder(
            image=self.folder / "image.map",
            size=self.image.size,
            block_size=self.image.block_size,
            sha256=self.sha256,
            evidence=self.evidence / name,
            label=name,
            speed=speed,
            simulate=simulate,
            programme=self.programme,
        )


#: A disc with everything that a disc can tell of itself; 900 blocks of two tracks, the second after a pause of its own.
ALBUM = Programme(
    tracks=(
        Track(300, isrc="GBAYE0000351", text=DiscText(title="First")),
        Track(450, pregap=150, indexes=(200, 310), copy_permitted=True, text=DiscText(title="Zweites, schön")),
    ),
    mcn="0724354526824",
    text=DiscText(title="Bench Album", performer="The Lab"),
)


def an_album(folder: Path, programme: Programme = ALBUM) -> Content:
    """Make the image of an audio disc, and put its programme beside it."""
    content = a_content(folder, programme.blocks, AUDIO_BLOCK)
    (folder / "programme.json").write_text(programme.canonical, encoding="utf-8")
    return replace(content, programme=programme)


def a_content(folder: Path, blocks: int = 1000, block_size: int = BLOCK) -> Content:
    """Make an image of metadata, a gap, a file and padding."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "content.bin"
    size = (blocks - 10) * block_size - 1000
    source.write_bytes(hashlib.shake_128(b"content").digest(size))
    stat = source.stat()
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    guarded = Source(str(source), stat.st_size, stat.st_mtime_ns, stat.st_ino, digest)
    extents = (Extent(0, 3, None, b"CD1"), Extent(5 * block_size, size, guarded, place="/content.bin"))
    image = ExtentMap(block_size, blocks, extents)
    image.save(folder / "image.map")
    return Content(folder, image, take_checksums(image).sha256, source, folder / "evidence")


def content_of(file: Path) -> Content:
    """Make content of a ready-made image."""
    stat, folder = file.stat(), file.with_suffix("")
    source = Source(str(file), stat.st_size, stat.st_mtime_ns, stat.st_ino, sha256_of(file))
    image = ExtentMap(BLOCK, stat.st_size // BLOCK, (Extent(0, stat.st_size, source),))
    folder.mkdir()
    image.save(folder / "image.map")
    return Content(folder, image, source.sha256, file, folder / "evidence")


def a_drive(folder: Path, options: str = "", kind: MediumKind = MediumKind.DVD_R, stall_after: float = 60) -> Device:
    """Open an emulated drive with a blank in it."""
    device = open_device(f"emulated:{folder}{options}", stall_after=stall_after)
    device.loader.load(kind)
    return device


def beside(device: Device) -> EmulatedDrive:
    """Stand beside a drive, as an operator does."""
    return EmulatedDrive(device.recorder.locks.parent)


def eventually(condition: Callable[[], object], what: str) -> None:
    """Wait until something is true.

    Raises:
        TimeoutError: it did not become so in time.
    """
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.01)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
