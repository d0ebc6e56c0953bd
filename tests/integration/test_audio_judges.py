"""Audio images are judged by programs we did not write: cdrdao and libcdio read the sheets, libcdio the CD-TEXT packs.

What a judge is known not to read is left out where that judge is asked, and said there.
"""

import ctypes
import ctypes.util
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.mastering.cd_text import PACK, packs
from jobs.mastering.medium import AUDIO_BLOCK
from jobs.mastering.programme import DiscText, Programme, Track
from jobs.mastering.redbook_sheets import ENCODING, cue_sheet, toc_file
from tests.programmes import PRINTABLE, programmes, samples_of

PACKAGES = {"cdrdao": "cdrdao", "toc2cddb": "cdrdao", "cd-info": "libcdio-utils"}
#: The text that is told of a disc and its tracks, in words of CD-TEXT.
Texts = list[dict[str, str]]

LIVE = Programme(
    (
        Track(600, 75, (150, 400), isrc="GBAYE0000351", pre_emphasis=True, text=DiscText("Opening", "The Lab")),
        Track(400, text=DiscText("Ça ira", "The Lab", composer="Émile")),
        Track(425, 150, copy_permitted=True, text=DiscText("Closing", "The Lab", "A. Writer", message="Thanks")),
    ),
    "0724354526824",
    DiscText("Live", "The Lab"),
)


def run(folder: Path, *command: str) -> str:
    """Run a judge where the image is; what is missing fails, and says what to install."""
    if shutil.which(command[0]) is None:
        pytest.fail(f"{command[0]} is missing: install the package {PACKAGES[command[0]]}")
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, env=environment)
    said = (done.stdout + done.stderr).decode("utf-8", "surrogateescape")
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{said}"
    return said


def write(folder: Path, programme: Programme, head: bytes = b"") -> Path:
    """Write an image of a programme with both sheets; `head` are its first samples, the rest is silent."""
    with (folder / "disc.bin").open("wb") as image:
        image.write(head)
        image.truncate(programme.blocks * AUDIO_BLOCK)
    (folder / "disc.cue").write_text(cue_sheet(programme, "disc.bin"), encoding=ENCODING)
    (folder / "disc.toc").write_text(toc_file(programme, "disc.bin"), encoding=ENCODING)
    return folder


@dataclass(frozen=True)
class Heard:
    """What a judge says of one track. Blocks count from the beginning of the image; `pregap` is a length."""

    start: int
    copy_permitted: bool
    pre_emphasis: bool
    pregap: int = 0
    indexes: tuple[int, ...] = ()
    isrc: str = ""
    end: int = 0


def told(programme: Programme) -> list[Heard]:
    """Say of a programme what a judge that hears everything says of its sheet."""
    ends = [start - track.pregap for start, track in zip(programme.starts, programme.tracks, strict=True)][1:]
    return [
        Heard(
            start,
            track.copy_permitted,
            track.pre_emphasis,
            track.pregap,
            tuple(start + index for index in track.indexes),
            track.isrc,
            end,
        )
        for start, track, end in zip(programme.starts, programme.tracks, [*ends, programme.blocks], strict=True)
    ]


def heard_by_cdrdao(folder: Path, sheet: str) -> tuple[str, list[Heard]]:
    """Let cdrdao read a sheet; return the MCN and the tracks."""
    head, *parts = re.split(r"^TRACK +\d+ +Mode AUDIO:$", run(folder, "cdrdao", "show-toc", sheet), flags=re.MULTILINE)
    mcn = re.search(r"^CATALOG NUMBER: (\d+)$", head, re.MULTILINE)
    return mcn[1] if mcn else "", [_cdrdao_track(part) for part in parts]


def _cdrdao_track(part: str) -> Heard:
    def blocks(word: str) -> list[int]:
        return [int(found) for found in re.findall(rf"^ +{word} +\d\d:\d\d:\d\d\( *(\d+)\)$", part, re.MULTILINE)]

    isrc = re.search(r"^ +ISRC (.+)$", part, re.MULTILINE)
    return Heard(
        blocks("START")[0],
        bool(re.search(r"^ +COPY PERMITTED$", part, re.MULTILINE)),
        bool(re.search(r"^ +PRE-EMPHASIS$", part, re.MULTILINE)),
        sum(blocks("PREGAP")),
        tuple(blocks(r"INDEX +\d+")),
        isrc[1].replace(" ", "") if isrc else "",
        blocks("END")[0],
    )


def titles_by_cdrdao(folder: Path, sheet: str) -> list[str]:
    """Let cdrdao read a sheet's CD-TEXT; return performer and title of the disc, then the tracks' titles."""
    said = run(folder, "toc2cddb", sheet)
    return re.findall(r"^(?:DTITLE|TTITLE\d+)=(.*)$", said, re.MULTILINE)


@dataclass(frozen=True)
class CdInfo:
    """What libcdio's cd-info says of a sheet."""

    tracks: list[Heard]
    lead_out: int
    mcn: str
    texts: Texts


def heard_by_cd_info(folder: Path, kind: str) -> CdInfo:
    """Let cd-info read a sheet."""
    said = run(folder, "cd-info", "--no-header", "--no-device-info", f"--{kind}-file=disc.{kind}")
    rows = re.findall(r"^ *\d+: \d\d:\d\d:\d\d +(\d+) audio +false +(yes|no) +2 +(yes|no)", said, re.MULTILINE)
    lead_out = re.search(r"^170: \d\d:\d\d:\d\d +(\d+) leadout", said, re.MULTILINE)
    mcn = re.search(r"^Media Catalog Number \(MCN\): (\d*)$", said, re.MULTILINE)
    assert lead_out is not None
    return CdInfo(
        [Heard(int(start), copy == "yes", emphasis == "yes") for start, copy, emphasis in rows],
        int(lead_out[1]),
        mcn[1] if mcn else "",
        _cd_info_texts(said, len(rows)),
    )


def _cd_info_texts(said: str, tracks: int) -> Texts:
    _, *parts = re.split(r"^CD-TEXT for (?=Disc:$|Track +\d+:$)", said, flags=re.MULTILINE)
    texts: Texts = [{} for _ in range(tracks + 1)]
    for part in parts:
        name, _, lines = part.partition(":\n")
        number = 0 if name == "Disc" else int(name.split()[1])
        texts[number] = {word.lower(): text for word, text in re.findall(r"^\t([A-Z]+): (.*)$", lines, re.MULTILINE)}
    return texts


def texts_of(programme: Programme, *words: str) -> Texts:
    """Say what a programme has CD-TEXT say; only in some words, if they are given."""
    texts = (programme.text, *(track.text for track in programme.tracks))
    return [
        {word: said for word, said in asdict(text).items() if said and (not words or word in words)} for text in texts
    ]


class LibCdio:
    """The library libcdio, for what its cd-info does not print."""

    #: Its numbers of what CD-TEXT can say.
    FIELDS = ("title", "performer", "songwriter", "composer", "message", "arranger", "isrc", "mcn")
    #: Blocks of the pause before every disc, which its addresses count.
    PAUSE = 150

    def __init__(self) -> None:
        name = ctypes.util.find_library("cdio")
        if name is None:
            pytest.fail("libcdio is missing: install the package libcdio-utils")
        self._library = ctypes.CDLL(name)
        pointer, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
        for function, takes, gives in (
            ("cdio_open_bincue", [text], pointer),
            ("cdio_open_cdrdao", [text], pointer),
            ("cdio_destroy", [pointer], None),
            ("cdio_get_track_isrc", [pointer, ctypes.c_ubyte], text),
            ("cdio_get_track_pregap_lba", [pointer, ctypes.c_ubyte], ctypes.c_int32),
            ("cdtext_init", [], pointer),
            ("cdtext_destroy", [pointer], None),
            ("cdtext_data_init", [pointer, text, ctypes.c_size_t], number),
            ("cdtext_get_const", [pointer, number, ctypes.c_ubyte], text),
        ):
            found = getattr(self._library, function)
            found.argtypes, found.restype = takes, gives

    def isrcs(self, sheet: Path, tracks: int) -> list[str]:
        """Let libcdio read the ISRC of a sheet."""
        opened = self._open(sheet)
        codes = [self._library.cdio_get_track_isrc(opened, number) for number in range(1, tracks + 1)]
        self._library.cdio_destroy(opened)
        return [(code or b"").decode() for code in codes]

    def index_zeros(self, sheet: Path, tracks: int) -> list[int | None]:
        """Let libcdio read where tracks have their index 0, None where they have none."""
        opened = self._open(sheet)
        places = [self._library.cdio_get_track_pregap_lba(opened, number) for number in range(1, tracks + 1)]
        self._library.cdio_destroy(opened)
        return [None if place < 0 or place == 0 else place - self.PAUSE for place in places]

    def _open(self, sheet: Path) -> int:
        opener = {".cue": self._library.cdio_open_bincue, ".toc": self._library.cdio_open_cdrdao}[sheet.suffix]
        opened: int | None = opener(os.fsencode(sheet))
        assert opened is not None
        return opened

    def texts(self, data: bytes, tracks: int) -> Texts:
        """Let libcdio read packs."""
        made = self._library.cdtext_init()
        assert self._library.cdtext_data_init(made, data, len(data)) == 0
        rows = [
            {field: self._library.cdtext_get_const(made, place, number) for place, field in enumerate(self.FIELDS)}
            for number in range(tracks + 1)
        ]
        self._library.cdtext_destroy(made)
        return [{field: said.decode() for field, said in row.items() if said} for row in rows]


@pytest.fixture(scope="module")
def libcdio() -> LibCdio:
    return LibCdio()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give the folder of an example's image, and stand in it: libcdio opens a TOC's files from where it stands."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


def without_indexes(programme: Programme) -> Programme:
    """Leave out index 2 and up: cdrdao 1.2.4 counts those of a cue sheet from the track, not from the file."""
    return replace(programme, tracks=tuple(replace(track, indexes=()) for track in programme.tracks))


def without_swap(folder: Path) -> None:
    """Leave out the byte order: libcdio 2.1 does not know the word, and does not care."""
    toc = folder / "disc.toc"
    toc.write_text(toc.read_text(encoding="ascii").replace(" SWAP ", " "), encoding="ascii")


def test_cdrdao_reads_tracks_and_mcn_of_a_toc_file(folder: Path) -> None:
    write(folder, LIVE)

    assert heard_by_cdrdao(folder, "disc.toc") == (LIVE.mcn, told(LIVE))


def test_cdrdao_reads_tracks_and_mcn_of_a_cue_sheet(folder: Path) -> None:
    programme = without_indexes(LIVE)
    write(folder, programme)

    assert heard_by_cdrdao(folder, "disc.cue") == (programme.mcn, told(programme))


@pytest.mark.parametrize("sheet", ["disc.toc", "disc.cue"])
def test_cdrdao_reads_titles(folder: Path, sheet: str) -> None:
    write(folder, without_indexes(LIVE))

    titles = [title.encode("utf-8", "surrogateescape").decode(ENCODING) for title in titles_by_cdrdao(folder, sheet)]

    assert titles == ["The Lab / Live", "Opening", "Ça ira", "Closing"]


def test_cdrdao_reads_every_block_of_a_toc_file(folder: Path) -> None:
    write(folder, LIVE)

    assert f"Read {LIVE.blocks} blocks." in run(folder, "cdrdao", "read-test", "disc.toc")


def test_cdrdao_reads_the_samples_of_a_toc_file_in_their_byte_order(folder: Path) -> None:
    samples = samples_of("sound", 1000)
    write(folder, LIVE, samples)

    said = run(folder, "cdrdao", "show-data", "disc.toc")

    rows = re.findall(r"^ *\d+: *(-?\d+) +(-?\d+)$", said, re.MULTILINE)
    found = [(int(left), int(right)) for left, right in rows[:1000]]
    assert found == list(struct.iter_unpack("<hh", samples))


def test_cd_info_reads_tracks_mcn_and_text_of_a_cue_sheet(folder: Path) -> None:
    write(folder, LIVE)

    heard = heard_by_cd_info(folder, "cue")

    assert heard.tracks == [Heard(each.start, each.copy_permitted, each.pre_emphasis) for each in told(LIVE)]
    assert heard.lead_out == LIVE.blocks
    assert heard.mcn == LIVE.mcn
    assert heard.texts == texts_of(LIVE, "title", "performer", "songwriter")


def test_cd_info_reads_tracks_mcn_and_text_of_a_toc_file(folder: Path) -> None:
    programme = replace(LIVE, tracks=(LIVE.tracks[0], replace(LIVE.tracks[1], text=DiscText()), LIVE.tracks[2]))
    write(folder, programme)
    without_swap(folder)

    heard = heard_by_cd_info(folder, "toc")

    # Its lead-out is left out: libcdio 2.1 adds the whole file to the last track's start.
    assert heard.tracks == [Heard(each.start, each.copy_permitted, each.pre_emphasis) for each in told(programme)]
    assert heard.mcn == programme.mcn
    assert heard.texts == texts_of(programme)


@pytest.mark.parametrize("sheet", ["disc.cue", "disc.toc"])
def test_libcdio_reads_isrcs(folder: Path, libcdio: LibCdio, sheet: str) -> None:
    write(folder, LIVE)
    without_swap(folder)

    assert libcdio.isrcs(folder / sheet, 3) == ["GBAYE0000351", "", ""]


def test_libcdio_reads_pregaps_of_a_cue_sheet(folder: Path, libcdio: LibCdio) -> None:
    write(folder, LIVE)

    assert libcdio.index_zeros(folder / "disc.cue", 3) == [0, None, 1075]


#: What both judges read of both sheets: cdrdao doesn't mind, but libcdio takes a TOC's octal digits for text, and two
#: slashes for the beginning of a remark.
PLAIN = "".join(set(map(chr, range(0x21, 0x7F))) - set('"\\/'))


SAID = st.builds(DiscText, *[st.text(PLAIN, min_size=1, max_size=30)] * 6)


@settings(max_examples=20, deadline=None)
@given(programme=st.one_of(programmes(SAID, longest=2000), programmes(st.just(DiscText()), longest=2000)))
def test_both_judges_and_we_agree_on_any_programme(
    tmp_path_factory: pytest.TempPathFactory, libcdio: LibCdio, programme: Programme
) -> None:
    folder = write(tmp_path_factory.mktemp("disc"), programme)
    tracks = len(programme.tracks)

    assert heard_by_cdrdao(folder, "disc.toc") == (programme.mcn, told(programme))
    if programme.has_text:
        title = f"{programme.text.performer} / {programme.text.title}"
        assert titles_by_cdrdao(folder, "disc.toc") == [title, *(track.text.title for track in programme.tracks)]
    cue = heard_by_cd_info(folder, "cue")
    assert (cue.mcn, cue.lead_out) == (programme.mcn, programme.blocks)
    assert cue.tracks == [Heard(each.start, each.copy_permitted, each.pre_emphasis) for each in told(programme)]
    assert cue.texts == texts_of(programme, "title", "performer", "songwriter")
    assert libcdio.isrcs(folder / "disc.cue", tracks) == [track.isrc for track in programme.tracks]
    without_swap(folder)
    toc = heard_by_cd_info(folder, "toc")
    assert (toc.mcn, toc.tracks, toc.texts) == (cue.mcn, cue.tracks, texts_of(programme))
    write(folder, without_indexes(programme))
    assert heard_by_cdrdao(folder, "disc.cue") == (programme.mcn, told(without_indexes(programme)))


@settings(max_examples=15, deadline=None)
@given(programmes(st.builds(DiscText, *[st.text(PRINTABLE.replace(" ", ""), max_size=100)] * 3)))
def test_both_judges_read_a_cue_sheet_whatever_is_said_in_it(
    tmp_path_factory: pytest.TempPathFactory, programme: Programme
) -> None:
    plain = without_indexes(programme)
    folder = write(tmp_path_factory.mktemp("disc"), plain)

    assert heard_by_cdrdao(folder, "disc.cue") == (plain.mcn, told(plain))
    heard = heard_by_cd_info(folder, "cue").texts
    replaced = str.maketrans({'"': "'", "\\": "/"})
    assert heard == [{word: said.translate(replaced)[:80] for word, said in text.items()} for text in texts_of(plain)]


@settings(max_examples=50, deadline=None)
@given(programme=programmes(st.builds(DiscText, *[st.text(PRINTABLE, min_size=1, max_size=60)] * 6), most=4))
def test_libcdio_reads_packs_as_they_were_meant(libcdio: LibCdio, programme: Programme) -> None:
    # libcdio 2.1 loses count of tracks at a text that is missing, so all tracks have one of each kind here.
    tracks = tuple(replace(track, isrc=track.isrc or "GBAYE0000351") for track in programme.tracks)
    full = replace(programme, mcn=programme.mcn or "0724354526824", tracks=tracks)

    heard = libcdio.texts(packs(full), len(tracks))

    codes = [{"mcn": full.mcn}, *({"isrc": track.isrc} for track in tracks)]
    assert heard == [text | code for text, code in zip(texts_of(full), codes, strict=True)]


def test_libcdio_reads_texts_that_were_abbreviated(libcdio: LibCdio) -> None:
    text = DiscText("Song", "The Bowed Piano Ensemble of the Lower Rhine Valley")
    programme = Programme((Track(300, text=text),) * 99, text=text)

    data = packs(programme)

    assert len(data) < 100 * PACK  # written out it would not fit
    assert libcdio.texts(data, 99) == texts_of(programme)


def test_libcdio_reads_as_many_packs_as_there_can_be(libcdio: LibCdio) -> None:
    sizes = [27 if number < 98 else 145 for number in range(100)]
    texts = [DiscText(title=f"{number:02}".ljust(size, ".")) for number, size in enumerate(sizes)]
    programme = Programme(tuple(Track(300, text=text) for text in texts[1:]), text=texts[0])

    data = packs(programme)

    assert len(data) == 256 * PACK
    assert libcdio.texts(data, 99) == texts_of(programme)


def test_ninety_nine_tracks_are_read_by_both(folder: Path) -> None:
    programme = Programme(tuple(Track(300 + number, number % 3) for number in range(99)))
    write(folder, programme)

    assert heard_by_cdrdao(folder, "disc.toc")[1] == told(programme)
    assert heard_by_cdrdao(folder, "disc.cue")[1] == told(programme)
    assert tuple(each.start for each in heard_by_cd_info(folder, "cue").tracks) == programme.starts
