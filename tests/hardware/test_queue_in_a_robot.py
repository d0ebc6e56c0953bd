"""The whole queue in a robot: real burn programs, the real `mtx`, modelled drives in a modelled changer."""

import hashlib
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from jobs import Client, data_disc
from jobs.errors import WriteFailed
from jobs.mastering.medium import BLOCK
from jobs.settings import RecorderSetting, load_settings
from models.vocabulary import JobState
from tests.hardware.test_queue_on_mmc import FAST
from tests.rigs import wait_until
from tests.robots import CD, CHANGER, NODES, modelled_robot
from workers.mmc.faults import parse_fault
from workers.mmc.medium import Medium
from workers.rig import Rig

COPIES = 4
OPTIONS = f"changer={CHANGER}&input=cd-r@1-6&accept=7-9,11&reject=10"


def test_a_robot_makes_an_order_past_a_bad_disc_and_sorts_what_comes_out(
    shim: Path, short_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "one.bin").write_bytes(os.urandom(2_000_000))
    with ExitStack() as stack:
        robot = stack.enter_context(modelled_robot(shim, short_path, monkeypatch))
        blanks = robot.fill(**{f"s{slot}": CD for slot in range(1, 7)})
        robot.drives[0].mechanism.script(parse_fault("write-error@300"))
        settings = load_settings(home=short_path / "home", content_roots=[tmp_path], **FAST)
        named = [
            RecorderSetting(name=f"r{number}", uri=f"scsi:{node}?{OPTIONS}&drive={number}")
            for number, node in enumerate(NODES)
        ]
        rig = stack.enter_context(Rig(settings, named, flower=False))
        client = stack.enter_context(Client(settings=settings))
        wait_until(lambda: rig.are_ready(client.database), "both drives have a blank")

        job = client.submit(data_disc(folder, volume_id="PHOTOS"), copies=COPIES, medium="cd")
        wait_until(lambda: job.report().spoiled, "the bad disc is found")
        robot.drives[0].mechanism.script()
        report = job.wait(120)
        wait_until(lambda: len(robot.in_slots((7, 8, 9, 10, 11))) == COPIES + 1, "all discs are out")

        assert report.state is JobState.COMPLETED, report.document
        discs: dict[str, Any] = {str(disc["path"]): disc for disc in job.report().discs if disc["outcome"] != "unused"}
        name = f"DISCMILL-SMC_CHANGER-{robot.changer.serial}"
        assert set(discs) == {f"slot {slot} of {name}" for slot in (7, 8, 9, 10, 11)}
        bad = discs.pop(f"slot 10 of {name}")
        assert (bad["outcome"], bad["recorder"], bad["error"]["code"]) == ("spoiled", "r0", WriteFailed.code)
        assert {(disc["outcome"], disc["verified"]) for disc in discs.values()} == {("good", True)}
        wanted = str(report.document["image_sha256"])
        good, rejected = robot.in_slots((7, 8, 9, 11)), robot.in_slots((10,))
        assert {sha256_of(medium, bad["blocks_total"]) for medium in good} == {wanted}
        assert sha256_of(rejected[0], bad["blocks_total"]) != wanted
        assert all(len(robot.where(medium)) == 1 for medium in blanks)
        assert {drive.mechanism.is_locked for drive in robot.drives} == {False}


def sha256_of(medium: Medium, blocks: int) -> str:
    return hashlib.sha256(medium.store.read(0, blocks, BLOCK)).hexdigest()
