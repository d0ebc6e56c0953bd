"""Makes audio programmes for tests: random ones that the Red Book allows, and manifests of real samples for them."""

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

from jobs.manifest import Entry, Manifest
from jobs.mastering.checksums import take_checksums
from jobs.mastering.masters import MasterStore, StoredMaster
from jobs.mastering.medium import AUDIO_BLOCK
from jobs.mastering.programme import SHORTEST_TRACK, DiscText, Programme, Track
from jobs.mastering.redbook import audio_manifest, layout_audio
from tests.manifests import entry_of

#: What CD-TEXT can say.
PRINTABLE = "".join(chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0x100)))

LETTERS, DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"


def texts(characters: str = PRINTABLE, longest: int = 40) -> st.SearchStrategy[str]:
    """Texts, often empty."""
    return st.one_of(st.just(""), st.text(characters, min_size=1, max_size=longest))


def disc_texts(characters: str = PRINTABLE, longest: int = 40) -> st.SearchStrategy[DiscText]:
    """All that CD-TEXT says of a disc or a track."""
    return st.builds(DiscText, *[texts(characters, longest)] * 6)


def isrcs() -> st.SearchStrategy[str]:
    """ISRC, or none."""
    parts = (st.text(LETTERS, min_size=2, max_size=2), st.text(LETTERS + DIGITS, min_size=3, max_size=3))
    code = st.tuples(*parts, st.text(DIGITS, min_size=7, max_size=7)).map("".join)
    return st.one_of(st.just(""), code)


def mcns() -> st.SearchStrategy[str]:
    """MCN, or none."""
    return st.one_of(st.just(""), st.text(DIGITS, min_size=13, max_size=13))


@st.composite
def tracks(draw: st.DrawFn, text: st.SearchStrategy[DiscText], longest: int = 700) -> Track:
    """One track."""
    blocks = draw(st.integers(SHORTEST_TRACK, longest))
    indexes = draw(st.sets(st.integers(1, blocks - 1), max_size=4))
    return Track(
        blocks,
        draw(st.one_of(st.just(0), st.integers(0, 200))),
        tuple(sorted(indexes)),
        draw(isrcs()),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(text),
    )


def programmes(
    text: st.SearchStrategy[DiscText] | None = None, most: int = 6, longest: int = 700
) -> st.SearchStrategy[Programme]:
    """Whole programmes that fit CD-TEXT's room."""
    said = disc_texts() if text is None else text
    return st.builds(Programme, st.lists(tracks(said, longest), min_size=1, max_size=most).map(tuple), mcns(), said)


def samples_of(seed: object, count: int) -> bytes:
    """Noise, in samples of four bytes."""
    return random.Random(repr(seed)).randbytes(4 * count)  # noqa: S311


def placed(folder: Path, number: int, data: bytes) -> Entry:
    """Keep samples in a file, and make the entry of them."""
    path = folder / f"{hashlib.sha256(data).hexdigest()[:16]}-{number}.pcm"
    path.write_bytes(data)
    return entry_of(path, f"{number:02}.wav")


def manifest_for(folder: Path, programme: Programme, pieces: Sequence[tuple[int, bytes]]) -> Manifest:
    """Make the manifest of a programme whose samples lie in pieces, each at a byte offset."""
    return audio_manifest(
        programme, [(placed(folder, number, data), offset) for number, (offset, data) in enumerate(pieces, 1)]
    )


def audio_master(folder: Path, programme: Programme, data: bytes) -> StoredMaster:
    """Lay a programme out whose samples are one file, and keep the master."""
    assert len(data) <= programme.blocks * AUDIO_BLOCK
    image, laid = layout_audio(manifest_for(folder, programme, [(0, data)]))
    return MasterStore(folder / "masters").put("key", image, take_checksums(image), laid)
