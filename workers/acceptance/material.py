"""What acceptance discs hold: made up and the same everywhere, nothing of whoever owns the drive."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.laying_out import lay_out_for
from jobs.manifest import Entry, Manifest
from jobs.mastering.masters import MasterStore, StoredMaster
from jobs.mastering.medium import AUDIO_BLOCK, Family
from jobs.mastering.programme import DiscText, Programme, Track
from jobs.mastering.redbook import audio_manifest
from jobs.preparation import prepare_master
from models.vocabulary import DiscFormat

_MIB = 1 << 20
#: Seconds since 1970 that every file bears: 2001-02-03 04:05:06 UTC.
_MOMENT = 981_173_106
#: Files beside the large ones: names that file systems get wrong, an empty one, deep folders.
_SMALL = {
    "READ ME.txt": b"Made by discmill acceptance. This disc holds nothing of value.\n",
    "empty": b"",
    "Ünïcödé — naïve, 日本語, Ελληνικά.txt": b"names beyond ASCII\n",
    f"{'long name ' * 6}.dat": b"a name of 64 letters\n",
    "deep/1/2/3/4/5/6/7/8/9/bottom.txt": b"below nine folders\n",
}
#: Large files share what is left.
_LARGE = 3
#: Blocks of the shortest track that a disc may have (4 seconds, Red Book), and of the second one's pregap.
_SHORTEST, _PREGAP = 300, 150


@dataclass(frozen=True, slots=True)
class Material:
    """A folder in which content is made; about `size` bytes go on a disc."""

    folder: Path
    size: int

    @property
    def masters(self) -> MasterStore:
        """What was laid out here."""
        return MasterStore(self.folder / "masters")

    def data(self, family: Family) -> StoredMaster:
        """Make a data disc for a family of media."""
        entries = list(self._entries(family))
        folders = {parent for entry in entries for parent in _parents(entry.path)}
        moment = _MOMENT * 1_000_000_000
        entries += [Entry(path=path, size=0, mtime_ns=moment, folder=True) for path in folders]
        laid, _ = lay_out_for([family], Manifest.of(entries), DiscFormat.JOLIET, "ACCEPTANCE")
        return prepare_master(self.masters, laid, lambda _done, _total: None)

    def audio(self) -> StoredMaster:
        """Make an audio disc of three tracks that tells all that a disc can tell."""
        blocks = max(_SHORTEST, self.size // AUDIO_BLOCK // 3)
        programme = Programme(
            tracks=(
                Track(blocks, isrc="QMDML0000001", text=DiscText("First Tone", "discmill", composer="Nobody")),
                Track(blocks, pregap=_PREGAP, copy_permitted=True, text=DiscText("Zwölf Töne", "discmill")),
                Track(blocks, isrc="QMDML0000003", text=DiscText('"Quoted"', "discmill")),
            ),
            mcn="0724354526824",
            text=DiscText("Acceptance", "discmill"),
        )
        samples = self._entry("samples.pcm", programme.blocks * AUDIO_BLOCK, b"audio")
        manifest = audio_manifest(programme, [(samples, 0)])
        laid, _ = lay_out_for([Family.CD], manifest, DiscFormat.REDBOOK, "")
        return prepare_master(self.masters, laid, lambda _done, _total: None)

    def _entries(self, family: Family) -> Iterator[Entry]:
        for place, content in _SMALL.items():
            yield self._file(f"small-{hashlib.sha256(place.encode()).hexdigest()[:8]}", place, content)
        for number in range(_LARGE):
            size = self.size // _LARGE + number  # no multiple of a block
            yield self._entry(f"large {number}.bin", size, f"{family} {number}".encode())

    def _entry(self, place: str, size: int, seed: bytes) -> Entry:
        """Make a file of noise; the same seed and size give the same bytes."""
        file = self.folder / f"noise-{hashlib.sha256(seed).hexdigest()[:8]}"
        if not file.exists():
            with file.open("wb") as out:
                for at in range(0, size, _MIB):
                    out.write(hashlib.shake_128(seed + at.to_bytes(8, "big")).digest(min(_MIB, size - at)))
        return _described(file, place)

    def _file(self, name: str, place: str, content: bytes) -> Entry:
        file = self.folder / name
        if not file.exists():
            file.write_bytes(content)
        return _described(file, place)


def _described(file: Path, place: str) -> Entry:
    status = file.stat()
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return Entry(
        path=place,
        size=status.st_size,
        mtime_ns=_MOMENT * 1_000_000_000,
        source=str(file),
        inode=status.st_ino,
        sha256=digest,
        source_mtime_ns=status.st_mtime_ns,
    )


def _parents(path: str) -> Iterator[str]:
    parts = path.split("/")
    yield from ("/".join(parts[:depth]) for depth in range(1, len(parts)))
