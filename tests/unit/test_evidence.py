"""The files of one burn, whole and torn."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import (
    DiscError,
    MediumMissing,
    MediumTooSmall,
    RecorderMissing,
    Remedy,
    SourceChanged,
    WriteFailed,
)
from jobs.mastering.programme import Programme
from tests.burns import ALBUM
from workers.evidence import (
    EVIDENCE,
    PLAN,
    Evidence,
    EvidenceWriter,
    LineTail,
    Plan,
    ProgressWriter,
    read_evidence,
    read_plan,
    write_plan,
)
from workers.failure import Failure

SHA = "ab" * 32
PLANNED = Plan("/image", 4096, 2048, SHA, "disc", False, 1_385_000, {"type": "emulated"})  # noqa: FBT003


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = write_plan(tmp_path, PLANNED)

    assert read_plan(path) == PLANNED
    assert [file.name for file in tmp_path.iterdir()] == [PLAN]


def test_a_plan_keeps_names_that_are_no_text(tmp_path: Path) -> None:
    odd = replace(PLANNED, image="/caf\udce9")

    assert read_plan(write_plan(tmp_path, odd)) == odd


def test_a_plan_keeps_what_audio_and_sessions_need(tmp_path: Path) -> None:
    audio = replace(PLANNED, start=12_400, leave_open=True, programme=ALBUM.canonical, guard_underrun=False)

    found = read_plan(write_plan(tmp_path, audio))

    assert found == audio
    assert Programme.read(found.programme) == ALBUM


def test_a_plan_of_an_earlier_version_is_one_of_data(tmp_path: Path) -> None:
    path = write_plan(tmp_path, PLANNED)
    facts = json.loads(path.read_text())
    for new in ("start", "leave_open", "programme", "guard_underrun"):
        del facts[new]
    path.write_text(json.dumps(facts))

    assert read_plan(path) == PLANNED


@pytest.mark.parametrize("text", ["", "{", "[]", '{"image": "/image"}'])
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / PLAN).write_text(text)

    with pytest.raises(ValueError, match=r".*"):
        read_plan(tmp_path / PLAN)


def test_a_folder_without_files_proves_that_nothing_happened(tmp_path: Path) -> None:
    assert read_evidence(tmp_path) == Evidence()
    assert not read_evidence(tmp_path / "missing").wrote


def test_evidence_of_a_good_burn(tmp_path: Path) -> None:
    write_plan(tmp_path, PLANNED)
    writer = EvidenceWriter(tmp_path)
    writer.started()
    assert (read_evidence(tmp_path).started, read_evidence(tmp_path).wrote) == (True, False)
    writer.opened(0)
    assert (read_evidence(tmp_path).wrote, read_evidence(tmp_path).fed_all) == (True, False)
    writer.fed(4096, SHA)
    assert (read_evidence(tmp_path).fed_all, read_evidence(tmp_path).closed) == (True, False)
    writer.closed()
    writer.ended(0)

    found = read_evidence(tmp_path)

    assert (found.started, found.wrote, found.fed_all, found.closed, found.ended) == (True,) * 5
    assert (found.failure, found.cancelled) == (None, False)
    assert (found.bytes_fed, found.sha256_fed) == (4096, SHA)


def test_only_a_burner_that_lived_to_its_end_proves_that_nothing_was_written(tmp_path: Path) -> None:
    writer = EvidenceWriter(tmp_path)
    writer.started()
    amid = read_evidence(tmp_path)
    writer.ended(1)

    assert not Evidence().wrote_nothing
    assert not amid.wrote_nothing
    assert read_evidence(tmp_path).wrote_nothing
    assert not replace(amid, facts={**amid.facts, "opened": {}, "ended": {}}).wrote_nothing


@pytest.mark.parametrize(("size", "sha256"), [(4095, SHA), (4096, "cd" * 32)])
def test_other_bytes_than_planned_are_not_all(tmp_path: Path, size: int, sha256: str) -> None:
    write_plan(tmp_path, PLANNED)
    EvidenceWriter(tmp_path).fed(size, sha256)

    assert not read_evidence(tmp_path).fed_all


def test_without_a_plan_nothing_is_all(tmp_path: Path) -> None:
    EvidenceWriter(tmp_path).fed(4096, SHA)

    assert not read_evidence(tmp_path).fed_all


def test_a_burn_is_begun_once(tmp_path: Path) -> None:
    EvidenceWriter(tmp_path)

    with pytest.raises(FileExistsError):
        EvidenceWriter(tmp_path)


@settings(max_examples=30)
@given(cut=st.integers(0, 1000))
def test_a_torn_line_counts_for_nothing(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    folder = tmp_path_factory.mktemp("burn")
    writer = EvidenceWriter(folder)
    writer.started()
    writer.opened(7)
    writer.fed(4096, SHA)
    whole = (folder / EVIDENCE).read_bytes()
    (folder / EVIDENCE).write_bytes(whole[: cut % (len(whole) + 1)])
    lines = (folder / EVIDENCE).read_bytes().count(b"\n")

    found = read_evidence(folder)

    assert [found.started, found.wrote, found.bytes_fed > 0] == [lines > number for number in range(3)]


def test_damaged_lines_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / EVIDENCE).write_bytes(b'\0\0\0\n[1]\n\xff\n{"event": "started", "pid": 5}\n{"other": 1}\n')

    assert (read_evidence(tmp_path).started, read_evidence(tmp_path).pid) == (True, 5)


ERRORS = [
    SourceChanged("/a file", "was replaced"),
    WriteFailed("block 7"),
    RecorderMissing("gone"),
    MediumMissing("nothing"),
    MediumTooSmall("too small"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_an_error_comes_back_as_it_was_told(tmp_path: Path, error: DiscError) -> None:
    EvidenceWriter(tmp_path).failed(error, 7)

    failure = read_evidence(tmp_path).failure

    assert failure is not None
    assert failure.block == 7
    told = failure.as_error()
    assert isinstance(told, type(error))
    assert (told.code, told.message, told.remedy) == (error.code, error.message, error.remedy)
    assert getattr(told, "path", "") == getattr(error, "path", "")


def test_an_error_of_another_version_comes_back_with_its_remedy() -> None:
    told = Failure("DISCMILL_E_NEW", "something new", "change_medium").as_error()

    assert (told.code, told.message, told.remedy) == ("DISCMILL_E_NEW", "something new", Remedy.CHANGE_MEDIUM)
    assert Failure("DISCMILL_E_NEW", "", "a new remedy").as_error().remedy is Remedy.REPORT_BUG


def test_a_tail_reads_each_line_once_and_only_when_it_is_whole(tmp_path: Path) -> None:
    tail = LineTail(tmp_path / "progress.jsonl")
    assert list(tail.read()) == []

    writer = ProgressWriter(tmp_path)
    writer.phase("writing")
    writer.blocks(32, 1.5, 0.25)
    assert list(tail.read()) == [{"phase": "writing"}, {"done": 32, "speed_x": 1.5, "buffer": 0.25}]

    with (tmp_path / "progress.jsonl").open("a") as torn:
        torn.write('{"done": 1')
        torn.flush()
        assert list(tail.read()) == []
        torn.write(', "speed_x": 2.0}\n')
    assert list(tail.read()) == [{"done": 1, "speed_x": 2.0}]
    assert list(tail.read()) == []


def test_evidence_is_json_lines(tmp_path: Path) -> None:
    writer = EvidenceWriter(tmp_path)
    writer.started()
    writer.cancelled(12)
    writer.ended(3)

    lines = [json.loads(line) for line in (tmp_path / EVIDENCE).read_text().splitlines()]

    assert [line["event"] for line in lines] == ["started", "cancelled", "ended"]
    assert lines[0]["clock"] > 0
    assert lines[1]["block"] == 12
