"""Audio discs on a rig of real processes: what is ordered is on the disc, sample by sample, and told of it."""

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import audio_disc, control
from jobs.client import JobHandle
from jobs.overview import event_documents, find_documents
from jobs.settings import subprocess_environment
from models.vocabulary import JobState
from tests.rigs import TestRig, running_rig
from tests.sounds import disc_of, write_track
from workers.programs import own_command

RECORDERS = ("r1", "r2")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestRig]:
    root = tmp_path_factory.mktemp("music")
    with running_rig(tmp_path_factory.mktemp("rig"), root, recorders=2, options="?speed=60x") as running:
        yield running


@pytest.fixture(autouse=True)
def _leave_it_as_it_was(rig: TestRig) -> Iterator[None]:
    yield
    for name in RECORDERS:
        rig.drive(name).clear_faults()
    control.clear(rig.mill.database, RECORDERS)
    control.resume(rig.mill.database, RECORDERS)
    rig.until_idle()


def album(rig: TestRig, name: str, seconds: float = 6.3) -> tuple[list[Path], bytes]:
    """Write two tracks of two kinds; return the files, and the bytes of the disc they make."""
    files = [rig.root / name / "01 Opening.flac", rig.root / name / "02 Ending.wav"]
    made = [
        write_track(file, seconds + number, hash_of(name) + number, title, "The Noise")
        for number, (file, title) in enumerate(zip(files, ("Opening", "Ending"), strict=True))
    ]
    return files, disc_of(made)


def hash_of(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def outcomes(job: JobHandle) -> list[str]:
    return sorted(str(disc["outcome"]) for disc in job.report().discs)


def burnt(rig: TestRig, job: JobHandle) -> list[Path]:
    return rig.discs_of(job)


def verify(rig: TestRig, target: object, job: JobHandle) -> tuple[int, dict[str, Any]]:
    answer = subprocess.run(
        own_command("verify", str(target), "--job", job.id, "--json"),
        env=subprocess_environment(rig.settings),
        capture_output=True,
        check=False,
    )
    return answer.returncode, json.loads(answer.stdout)


def test_files_of_two_kinds_become_verified_discs_without_a_sample_changed(rig: TestRig) -> None:
    files, samples = album(rig, "two-kinds")
    job = rig.mill.submit(audio_disc(*files, title="Two Kinds"), copies=3)

    report = job.wait(60)

    assert (report.state, report.good, report.spoiled) == (JobState.COMPLETED, 3, 0), report.document
    assert (report.document["format"], report.document["medium"]) == ("redbook", "cd")
    assert all(disc["verified"] is True for disc in report.discs)
    discs = burnt(rig, job)
    assert [disc.suffix for disc in discs] == [".bin"] * 3
    assert all(disc.read_bytes() == samples for disc in discs)
    assert {disc["image_sha256"] for disc in report.discs} == {hashlib.sha256(samples).hexdigest()}


def test_the_disc_tells_its_tracks_and_their_titles(rig: TestRig) -> None:
    files, _ = album(rig, "told", seconds=6)
    job = rig.mill.submit(audio_disc(*files, title="Told"))

    job.wait(60)

    (disc,) = burnt(rig, job)
    lines = [line.strip() for line in disc.with_suffix(".cue").read_text(encoding="iso-8859-1").splitlines()]
    assert f'FILE "{disc.name}" BINARY' in lines
    assert [line for line in lines if line.startswith(("TRACK", "INDEX"))] == [
        "TRACK 01 AUDIO",
        "INDEX 01 00:00:00",
        "TRACK 02 AUDIO",
        "INDEX 01 00:06:00",
    ]
    assert [line for line in lines if line.startswith("TITLE")] == [
        'TITLE "Told"',
        'TITLE "Opening"',
        'TITLE "Ending"',
    ]


def test_a_cue_sheet_and_a_manifest_order_audio_too(rig: TestRig) -> None:
    whole = write_track(rig.root / "sheet" / "side.wav", 12, 77)
    sheet = rig.root / "sheet" / "side.cue"
    sheet.write_text(
        'CATALOG 4006381333931\nTITLE "Side"\nFILE "side.wav" WAVE\n'
        '  TRACK 01 AUDIO\n    TITLE "First"\n    ISRC DEA010000001\n    INDEX 01 00:00:00\n'
        '  TRACK 02 AUDIO\n    TITLE "Second"\n    INDEX 00 00:05:00\n    INDEX 01 00:07:00\n'
    )

    job = rig.mill.submit(audio_disc(cue=sheet))

    assert job.wait(60).state is JobState.COMPLETED, job.report().document
    (disc,) = burnt(rig, job)
    assert disc.read_bytes() == disc_of([whole])
    told = disc.with_suffix(".cue").read_text(encoding="iso-8859-1")
    assert "CATALOG 4006381333931" in told
    assert "ISRC DEA010000001" in told


def test_a_drive_that_reads_and_writes_with_an_offset_makes_good_discs(
    rig: TestRig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files, _ = album(rig, "offset")
    home = tmp_path_factory.mktemp("offset-rig")

    with running_rig(home, rig.root, options="?speed=60x&offset=+30") as shifted:
        report = shifted.mill.submit(audio_disc(*files)).wait(60)

    (disc,) = report.discs
    assert (report.state, str(disc["outcome"]), disc["verified"]) == (JobState.COMPLETED, "good", True), disc["error"]


def test_a_sample_that_was_written_wrong_is_found_and_its_track_named(rig: TestRig) -> None:
    control.pause(rig.mill.database, ["r2"])
    files, _ = album(rig, "flipped")
    rig.drive("r1").add_fault("flip@600")
    job = rig.mill.submit(audio_disc(*files), max_spoiled=1)

    report = job.wait(60)

    (disc,) = report.discs
    assert (report.state, str(disc["outcome"])) == (JobState.WAITING, "spoiled")
    assert "track 2" in disc["error"]["message"]  # type: ignore[index]


def test_a_killed_worker_leaves_one_good_audio_disc_and_no_second(rig: TestRig) -> None:
    files, samples = album(rig, "killed-worker", seconds=20)
    job = rig.mill.submit(audio_disc(*files), speed=8)
    disc = rig.halfway(job)

    os.kill(rig.pid(str(disc["recorder"])), signal.SIGKILL)

    assert job.wait(60).state is JobState.COMPLETED
    assert outcomes(job) == ["good"]
    assert [path.read_bytes() for path in burnt(rig, job)] == [samples]


def test_a_killed_burner_spoils_an_audio_disc_and_the_copy_is_made_anew(rig: TestRig) -> None:
    files, samples = album(rig, "killed-burner", seconds=20)
    job = rig.mill.submit(audio_disc(*files), speed=8)
    disc = rig.halfway(job)

    os.kill(rig.burner_pid(str(disc["attempt"])), signal.SIGKILL)

    assert job.wait(60).state is JobState.COMPLETED
    assert outcomes(job) == ["good", "spoiled"]
    assert [path.read_bytes() for path in burnt(rig, job)] == [samples]


def test_an_audio_disc_called_off_while_it_is_written_is_spoiled(rig: TestRig) -> None:
    files, _ = album(rig, "cancelled", seconds=20)
    job = rig.mill.submit(audio_disc(*files), speed=8)
    rig.halfway(job)

    job.cancel()

    assert job.wait(60).state is JobState.CANCELLED
    assert outcomes(job) == ["spoiled"]


def test_a_simulated_audio_disc_uses_no_medium(rig: TestRig) -> None:
    files, _ = album(rig, "simulated")
    job = rig.mill.submit(audio_disc(*files), simulate=True)

    assert job.wait(60).state is JobState.COMPLETED
    assert (outcomes(job), burnt(rig, job)) == (["simulated"], [])


def test_an_audio_disc_nobody_verified_says_so(rig: TestRig) -> None:
    files, samples = album(rig, "unverified")
    job = rig.mill.submit(audio_disc(*files), verify=False)

    (disc,) = job.wait(60).discs
    assert (str(disc["outcome"]), disc["verified"]) == ("good", False)
    assert [path.read_bytes() for path in burnt(rig, job)] == [samples]


def test_sources_may_go_once_audio_is_ordered(rig: TestRig) -> None:
    control.pause(rig.mill.database, RECORDERS)
    files, samples = album(rig, "gone")
    job = rig.mill.submit(audio_disc(*files))
    for file in files:
        file.unlink()

    control.resume(rig.mill.database, RECORDERS)

    assert job.wait(60).state is JobState.COMPLETED
    assert [path.read_bytes() for path in burnt(rig, job)] == [samples]


def test_a_burnt_file_is_compared_with_its_job(rig: TestRig) -> None:
    files, samples = album(rig, "compared")
    job = rig.mill.submit(audio_disc(*files))
    job.wait(60)
    (disc,) = burnt(rig, job)
    changed = rig.root / "changed.bin"
    changed.write_bytes(samples[:400_000] + bytes([samples[400_000] ^ 1]) + samples[400_001:])

    assert verify(rig, disc, job)[0] == 0
    code, said = verify(rig, changed, job)

    assert code == 1
    assert "track 1" in said["message"]


def test_tracks_are_found_by_the_files_they_were_decoded_from(rig: TestRig) -> None:
    files, _ = album(rig, "found")
    digest = hashlib.sha256(files[0].read_bytes()).hexdigest()
    job = rig.mill.submit(audio_disc(*files))
    job.wait(60)

    with rig.mill.database.read() as db:
        by_digest = find_documents(db, digest)
        by_name = [found for found in find_documents(db, files[1].name) if found["job"] == job.id]

    assert [found["job"] for found in by_digest] == [job.id]
    assert [found["good"] for found in by_digest] == [1]
    assert len(by_name) == 1


def test_what_is_not_quite_as_given_is_told_and_kept(rig: TestRig) -> None:
    files, _ = album(rig, "noted")
    listed = rig.root / "noted" / "noted.flac"
    write_track(listed, 5, 5, title="Привет", artist="The Noise")

    job = rig.mill.submit(audio_disc(*files, listed))

    assert any("Privet" in note for note in job.notes), job.notes
    with rig.mill.database.read() as db:
        kinds = [event["kind"] for _, event in event_documents(db, job.id)]
    assert kinds.count("noted") == len(job.notes)
    assert rig.mill.job(job.id).notes == job.notes
    assert job.wait(60).state is JobState.COMPLETED


def test_a_master_that_was_lost_is_laid_out_anew(rig: TestRig) -> None:
    control.pause(rig.mill.database, RECORDERS)
    files, samples = album(rig, "lost")
    job = rig.mill.submit(audio_disc(*files))
    for file in (rig.settings.store / "masters").glob("*/*"):
        file.unlink()

    control.resume(rig.mill.database, RECORDERS)

    assert job.wait(60).state is JobState.COMPLETED
    assert [path.read_bytes() for path in burnt(rig, job)] == [samples]
