"""Walk the whole mastering lifecycle by hand, twice: a data disc, then an audio disc. No queue, no database.

    python examples/interacting.py [FOLDER]

The recorder is an emulated one in FOLDER (default: a new temporary folder); its discs are files. With a real recorder
only the line that opens it would differ. The steps are those of IMAPI's "Interacting with IMAPI".
"""

import math
import struct
import sys
import tempfile
from pathlib import Path

from jobs.mastering.handle import RecorderHandle
from jobs.mastering.master import DiscMaster, Listener, RecordOptions
from jobs.mastering.medium import MediumKind
from jobs.mastering.programme import DiscText, Track
from jobs.mastering.progress import (
    BlockProgress,
    BurnComplete,
    ClosingDisc,
    PreparingBurn,
    ProgressEvent,
    TrackProgress,
)
from jobs.mastering.recorder import Bin, Device
from models.vocabulary import DiscFormat
from workers.recorders import open_device

#: Samples a second, and audio blocks a second (Red Book).
RATE, BLOCKS = 44_100, 75


def main(folder: Path) -> int:
    """Burn one disc of each format, and say where they lie."""
    device = open_device(f"emulated:{folder / 'recorder'}")
    for burn in (burn_data, burn_audio):
        device.loader.load(MediumKind.CD_R)  # step 0: somebody puts a blank in
        burn(device)
        print("  the disc:", device.loader.unload(Bin.ACCEPT, burn.__name__))
    return 0


def burn_data(device: Device) -> None:
    """Stage files and folders piece by piece, and burn them."""
    print("a data disc")
    with DiscMaster([device.recorder]) as master:  # steps 1 and 2: create and open
        print("  formats:", ", ".join(master.formats()))  # step 3: choose a format
        content = master.set_format(DiscFormat.JOLIET)
        recorder = choose_recorder(master)  # step 4: choose a recorder
        cookie = master.advise(Listener(tell))  # step 5: hear of progress
        content.set_properties({"VolumeName": "EXAMPLE"})
        content.add_data({"readme.txt": b"Burnt step by step.\n", "sources": Path(__file__).parent})  # step 6: stage
        point = content.change_point()
        content.add_data({"readme.txt": b"A second thought.\n"}, overwrite=True)
        content.roll_back(point)
        print(f"  {content.used_blocks} of {content.total_blocks} blocks, {content.available_blocks} left")
        master.record(RecordOptions(simulate=True, keep=True))  # step 7: try, then burn
        master.record()
        master.unadvise(cookie)
        print("  sessions on the disc:", recorder.query_media_info().sessions)
    # step 8: leaving the block closed it


def burn_audio(device: Device) -> None:
    """Stage two tracks of sound, and burn them."""
    print("an audio disc")
    with DiscMaster([device.recorder]) as master:
        content = master.set_format(DiscFormat.REDBOOK)
        recorder = choose_recorder(master)
        recorder.set_properties({"AudioGapSize": 0})  # one track follows the other without a gap
        master.advise(Listener(tell))
        content.describe(mcn="0724354526824", text=DiscText(title="Tones", performer="discmill"))
        for number, pitch in enumerate((440.0, 660.0), 1):
            content.create_track(Track(0, isrc=f"ZZXYZ260000{number}", text=DiscText(title=f"{pitch:g} Hz")))
            for second in range(5):
                content.add_blocks(tone(pitch, second))
            content.close_track()
        print(f"  {content.total_tracks} tracks, {content.used_blocks} of {content.total_blocks} blocks")
        master.record()
    for track in device.recorder.read_programme().tracks:
        print(f"  track of {track.blocks // BLOCKS} s: {track.text.title}, ISRC {track.isrc}")


def choose_recorder(master: DiscMaster) -> RecorderHandle:
    """Take the first recorder that can burn the format."""
    recorder = master.recorders()[0]
    who = recorder.identify()
    medium = master.set_recorder(recorder)
    print(f"  recorder: {who.vendor} {who.product}, holds a {medium.status} {medium.kind}")
    return recorder


def tell(event: ProgressEvent) -> None:
    """Say what happens; blocks only when all are through."""
    match event:
        case PreparingBurn() | ClosingDisc():
            print(f"  {type(event).__name__}: about {event.estimated_seconds:.0f} s")
        case TrackProgress():
            print(f"  tracks: {event.done} of {event.total}")
        case BlockProgress() if event.done == event.total:
            print(f"  blocks: {event.done} of {event.total}")
        case BurnComplete():
            print("  BurnComplete:", event.error or "ok")


def tone(pitch: float, second: int) -> bytes:
    """Make one second of a tone, in the samples of an audio disc."""
    start = second * RATE
    wave = (int(12_000 * math.sin(2 * math.pi * pitch * (start + index) / RATE)) for index in range(RATE))
    return b"".join(struct.pack("<hh", value, value) for value in wave)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else Path(tempfile.mkdtemp(prefix="discmill-example-"))))
