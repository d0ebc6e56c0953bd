"""What `mtx` says, read from transcripts of real runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import DiscError, DriveOccupied, InputEmpty, MechanismFault, OutputFull, RecorderMissing
from tests.recording import FOLDER, read_transcript
from tests.recording_mtx import CASES
from workers.loaders.mtx_output import Element, Elements, parse_status, read_refusal

REFUSALS = {
    "gone": (RecorderMissing, "cannot open SCSI device"),
    "load-occupied": (DriveOccupied, "Drive 0 Full"),
    "load-empty-slot": (InputEmpty, "Source Element Address 4101 is Empty"),
    "load-closed-tray": (MechanismFault, r"Hardware Error \(53/00\)"),
    "load-jammed": (MechanismFault, r"Hardware Error \(15/01\)"),
    "load-no-slot": (MechanismFault, "Invalid <storage-element-number>"),
    "load-no-drive": (MechanismFault, "illegal <drive-number>"),
    "unload-full-slot": (OutputFull, "Storage Element 2 is Already Full"),
    "unload-empty-drive": (InputEmpty, "Data Transfer Element 0 is Empty"),
    "unload-locked": (MechanismFault, r"Illegal Request \(53/02\)"),
}


def words_of(name: str) -> str:
    return "\n".join(read_transcript(f"mtx/{name}").lines)


def test_every_transcript_names_its_program_and_has_its_case() -> None:
    recorded = {path.stem for path in (FOLDER / "mtx").glob("*.txt")}

    assert recorded == set(CASES)
    assert {read_transcript(f"mtx/{name}").program for name in recorded} == {"mtx 1.3.12"}
    failed = {name for name in recorded if read_transcript(f"mtx/{name}").exit_code != 0}
    assert failed == set(REFUSALS)


def test_full_and_empty_drives_slots_and_ports_are_told() -> None:
    told = parse_status(words_of("status"))

    assert told.drives == {0: Element(full=False), 1: Element(full=False)}
    assert [slot for slot, element in told.slots.items() if element.full] == [1, 2, 3]
    assert [slot for slot, element in told.slots.items() if element.port] == [7]


def test_a_disc_in_a_drive_tells_where_it_may_have_come_from() -> None:
    known, unknown = (parse_status(words_of(f"status-{name}")).drives[0] for name in ("loaded", "unknown-origin"))

    assert known == Element(full=True, source=1)
    assert unknown == Element(full=True)


def test_volume_tags_lose_their_padding() -> None:
    told = parse_status(words_of("status-tags"))

    assert told.drives[0].tag == "BLANK001"
    assert [told.slots[slot].tag for slot in (1, 2, 3, 4)] == ["", "BLANK002", "BLANK003", ""]


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_called_by_its_name_and_says_why(name: str) -> None:
    kind, why = REFUSALS[name]

    error = read_refusal(words_of(name), "load slot 1")

    assert type(error) is kind
    with pytest.raises(DiscError, match=f"the changer refuses to load slot 1: .*{why}"):
        raise error


def test_a_refusal_without_a_word_is_a_fault_of_the_mechanism() -> None:
    error = read_refusal("", "unload to slot 3")

    assert isinstance(error, MechanismFault)
    assert error.message == "the changer refuses to unload to slot 3: it does not say why"


@pytest.mark.parametrize(
    "text", ["", "\n", "no status", "  Storage Changer /dev/sg2:2 Drives, 1 Slots ( 0 Import/Export )\n"]
)
def test_what_is_no_status_or_not_all_of_one_is_refused(text: str) -> None:
    with pytest.raises(MechanismFault, match="mtx told"):
        parse_status(text)


@given(st.text())
def test_no_words_make_the_readers_stumble(words: str) -> None:
    try:
        told = parse_status(words)
    except MechanismFault:
        told = Elements({}, {})

    assert isinstance(told, Elements)
    assert isinstance(read_refusal(words, "move"), DiscError)
