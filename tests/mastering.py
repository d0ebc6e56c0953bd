"""What tests of the mastering library share: emulated recorders with discs in, sessions ready to stage, readers."""

import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pycdlib import PyCdlib

from jobs.mastering.joliet_master import JolietDiscMaster
from jobs.mastering.master import DiscMaster
from jobs.mastering.medium import MediumInfo, MediumKind, MediumStatus
from jobs.mastering.recorder import Device, DiscRecorder
from jobs.mastering.redbook_master import RedbookDiscMaster
from models.vocabulary import DiscFormat
from tests.burns import beside
from workers.recorders import open_device


def a_device(folder: Path, kind: MediumKind | None = MediumKind.CD_R, options: str = "") -> Device:
    """Open an emulated recorder without a feeder, with a blank in the tray if a kind is named."""
    device = open_device(f"emulated:{folder}?feed=none{options}")
    if kind is not None:
        beside(device).insert(kind, MediumStatus.BLANK)
    return device


def insert(device: Device, kind: MediumKind, status: MediumStatus = MediumStatus.BLANK) -> None:
    """Take out what is in the tray, and put in another disc."""
    beside(device).remove()
    beside(device).insert(kind, status)


@contextmanager
def data_session(*devices: Device, stash: Path | None = None) -> Iterator[tuple[DiscMaster, JolietDiscMaster]]:
    """Open a session for data with the first recorder selected."""
    with DiscMaster([device.recorder for device in devices], stash).open() as master:
        content = master.set_format(DiscFormat.JOLIET)
        master.set_recorder(master.recorders()[0])
        yield master, content


@contextmanager
def audio_session(*devices: Device, stash: Path | None = None) -> Iterator[tuple[DiscMaster, RedbookDiscMaster]]:
    """Open a session for audio with the first recorder selected."""
    with DiscMaster([device.recorder for device in devices], stash).open() as master:
        content = master.set_format(DiscFormat.REDBOOK)
        master.set_recorder(master.recorders()[0])
        yield master, content


def samples(blocks: int, seed: int = 0) -> bytes:
    """Make blocks of audio that are like no others."""
    return hashlib.shake_128(f"audio {seed}".encode()).digest(blocks * 2352)


def add_track(content: RedbookDiscMaster, blocks: int = 300, seed: int = 0) -> bytes:
    """Stage a whole track; return its samples."""
    pcm = samples(blocks, seed)
    content.create_track()
    content.add_blocks(pcm)
    content.close_track()
    return pcm


def on_disc(device: Device) -> bytes:
    """Return the bytes that are on the disc in the tray."""
    drive = beside(device)
    data = drive.folder.medium(drive.folder.read().medium or "").data
    return data.read_bytes() if data.exists() else b""


def tray(device: Device) -> MediumInfo:
    """Return what the drive says of the medium in it."""
    medium = device.recorder.probe()
    assert medium is not None
    return medium


class Smaller:
    """A recorder whose blanks have less room than any that are made, so that tests can fill them."""

    def __init__(self, recorder: DiscRecorder, free_blocks: int) -> None:
        self._recorder = recorder
        self._free_blocks = free_blocks

    def probe(self) -> MediumInfo | None:
        medium = self._recorder.probe()
        return None if medium is None else replace(medium, capacity=self._free_blocks, free_blocks=self._free_blocks)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (all else is the recorder's own)
        return getattr(self._recorder, name)


def smaller(device: Device, free_blocks: int) -> Device:
    """Give a device blanks of so many blocks."""
    shrunk: Any = Smaller(device.recorder, free_blocks)
    return Device(shrunk, device.loader)


def files_of(image: bytes, tree: str = "rr_path") -> Mapping[str, bytes]:
    """Read all files of an image with a reader that we did not write (pycdlib); `tree` is rr_path, joliet_path..."""
    iso = PyCdlib()
    iso.open_fp(io.BytesIO(image))
    try:
        return dict(_walk(iso, tree))
    finally:
        iso.close()


def _walk(iso: PyCdlib, tree: str) -> Iterator[tuple[str, bytes]]:
    for folder, _, names in iso.walk(**{tree: "/"}):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            content = io.BytesIO()
            iso.get_file_from_iso_fp(content, **{tree: path})
            yield path.lstrip("/"), content.getvalue()
