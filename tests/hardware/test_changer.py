"""Discs moved by the real `mtx` in a modelled changer, and what becomes of them when somebody dies on the way."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.errors import (
    DriveOccupied,
    InputEmpty,
    MechanismFault,
    MediumMissing,
    OutputFull,
    RecorderBusy,
    RecorderMissing,
    RecorderStalled,
    RecorderUnsuitable,
)
from jobs.mastering.recorder import Bin
from tests.rigs import wait_until
from tests.robots import CD, CHANGER, DVD, REJECT, ModelledRobot, ServedDrive, modelled_robot
from tests.scsi_rig import Direct
from workers.loaders.changer import Changer, Rig
from workers.loaders.changer_device import ChangerDevice
from workers.loaders.mtx import Mtx
from workers.mmc.changer import Mishap

#: Steps of bringing in a blank: written down, tray out, carried, tray in, written down.
LOAD_STEPS = 5


@pytest.fixture
def robot(shim: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelledRobot]:
    """Give a robot whose slots are empty."""
    with modelled_robot(shim, short_path, monkeypatch) as served:
        yield served


def a_loaded_robot(robot: ModelledRobot, loader: Changer) -> None:
    robot.fill(s1=CD, s2=CD, s4=DVD)
    loader.load(CD)


def test_a_blank_is_brought_in_and_the_disc_goes_to_its_bin(robot: ModelledRobot) -> None:
    (medium,) = robot.fill(s4=DVD)
    loader = robot.loader()

    before = loader.stock()
    loader.load(DVD)
    during = robot.where(medium), robot.drives[0].mechanism.is_open, loader.stock()
    path = loader.unload(Bin.ACCEPT, "PHOTOS-001")

    assert before == [DVD]
    assert during == (["drive 0"], False, [])
    assert path is None
    assert robot.where(medium) == ["slot 7"]
    assert loader.place_of("PHOTOS-001") == "slot 7 of the robot"
    assert loader.place_of("PHOTOS-002") is None


def test_a_place_is_forgotten_once_a_person_took_the_disc(robot: ModelledRobot) -> None:
    loader = robot.loader()
    a_loaded_robot(robot, loader)
    loader.unload(Bin.REJECT, "bad")

    robot.changer.put(REJECT[0], None)
    loader.stock()

    assert loader.place_of("bad") is None


def test_a_blank_of_another_kind_goes_back_to_its_slot_first(robot: ModelledRobot) -> None:
    cd, dvd = robot.fill(s1=CD, s4=DVD)
    loader = robot.loader()
    loader.load(CD)

    loader.load(DVD)

    assert (robot.where(cd), robot.where(dvd)) == (["slot 1"], ["drive 0"])
    assert loader.stock() == [CD]


def test_what_lies_in_a_slot_for_another_kind_is_known_once_it_was_in_the_drive(robot: ModelledRobot) -> None:
    robot.fill(s1=DVD, s2=CD)
    loader = robot.loader()
    loader.load(CD)

    loader.load(CD)  # the drive found a DVD-R instead

    assert loader.stock() == [DVD]
    assert robot.drives[0].mechanism.medium.kind is CD


def test_nothing_is_loaded_onto_a_disc_that_was_written(robot: ModelledRobot) -> None:
    (medium, *_) = robot.fill(s1=CD, s2=CD)
    loader = robot.loader()
    loader.load(CD)
    medium.begin_track(0)
    medium.end_session(finalize=True)

    with pytest.raises(DriveOccupied, match="eject it first"):
        loader.load(CD)

    assert robot.where(medium) == ["drive 0"]
    assert robot.moves().total() == 1


def test_a_disc_that_the_drive_does_not_know_goes_to_reject(robot: ModelledRobot) -> None:
    upside_down, good = robot.fill(s1=CD, s2=CD)
    robot.loader().load(CD)

    class Blind(ServedDrive):
        def probe(self) -> None:
            return None

    rig = Rig("the robot", Mtx(lambda: CHANGER), robot.journal(), robot.lock)
    Changer(Blind(Direct(robot.drives[0])), robot.shelving(), rig).load(CD)

    assert (robot.where(upside_down), robot.where(good)) == (["slot 10"], ["drive 0"])


def test_an_empty_input_says_where_blanks_belong(robot: ModelledRobot) -> None:
    robot.fill(s1=CD)

    with pytest.raises(InputEmpty, match="put some into slots 1-6 of the robot"):
        robot.loader().load(DVD)


def test_a_disc_stays_in_where_its_bin_is_full(robot: ModelledRobot) -> None:
    loader = robot.loader()
    a_loaded_robot(robot, loader)
    disc = robot.drives[0].mechanism.loaded
    robot.fill(s10=CD)

    with pytest.raises(OutputFull, match="slots 10 of the robot, for rejected discs, are full"):
        loader.unload(Bin.REJECT, "bad")
    held = (robot.drives[0].mechanism.loaded, robot.drives[0].mechanism.is_open)
    robot.changer.put(10, None)
    loader.unload(Bin.REJECT, "bad")

    assert held == (disc, False)
    assert robot.in_slots(REJECT) == [disc]


def test_an_empty_drive_has_nothing_to_unload(robot: ModelledRobot) -> None:
    with pytest.raises(MediumMissing):
        robot.loader().unload(Bin.ACCEPT, "nothing")


# --- faults of the mechanism


def test_a_blank_that_the_arm_does_not_get_stays_in_its_slot(robot: ModelledRobot) -> None:
    (medium,) = robot.fill(s1=CD)
    robot.changer.mechanism.script(Mishap.MOVE_ERROR)

    with pytest.raises(MechanismFault, match=r"refuses to load slot 1: Hardware Error \(15/01\)"):
        robot.loader().load(CD)
    robot.changer.mechanism.script()
    robot.loader().resume()

    assert robot.where(medium) == ["slot 1"]
    assert robot.journal().read().moves == {}


def test_a_disc_that_hangs_in_the_arm_is_told_of_once_and_not_looked_for(robot: ModelledRobot) -> None:
    robot.fill(s1=CD)
    robot.changer.mechanism.script(Mishap.STUCK)

    with pytest.raises(
        MechanismFault, match="a blank is neither in slot 1 nor in drive 0 of the robot; take it out by"
    ):
        robot.loader().load(CD)
    robot.loader().resume()

    assert robot.journal().read().moves == {}


def test_a_bad_disc_that_could_not_be_moved_goes_to_reject_later_and_nowhere_else(robot: ModelledRobot) -> None:
    loader = robot.loader()
    a_loaded_robot(robot, loader)
    disc = robot.drives[0].mechanism.loaded
    robot.changer.mechanism.script(Mishap.MOVE_ERROR)

    with pytest.raises(MechanismFault):
        loader.unload(Bin.REJECT, "bad")
    with pytest.raises(MechanismFault):
        loader.resume()
    tried = robot.moves().total()
    robot.changer.mechanism.script()
    with pytest.raises(MechanismFault):
        loader.resume()  # not at every look
    tried_since = robot.moves().total() - tried
    robot.loader().resume()

    assert tried_since == 0
    assert robot.in_slots(REJECT) == [disc]
    assert loader.place_of("bad") == "slot 10 of the robot"


def test_a_changer_that_is_gone_is_missing(robot: ModelledRobot) -> None:
    robot.changer.mechanism.unplug()

    with pytest.raises(RecorderMissing):
        robot.loader().stock()


def test_slots_that_the_changer_does_not_have_are_named(robot: ModelledRobot) -> None:
    rig = Rig("the robot", Mtx(lambda: CHANGER), robot.journal(), robot.lock)
    shelving = robot.shelving(drive=5)

    with pytest.raises(RecorderUnsuitable, match="2 drives and 11 slots, and no drive 5; correct the recorder's URI"):
        Changer(ServedDrive(Direct(robot.drives[0])), shelving, rig).stock()


def test_a_changer_is_known_by_its_serial_number(robot: ModelledRobot) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "tests.robot_identity", str(CHANGER), "/dev/sr0"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert found == [f"DISCMILL-SMC_CHANGER-{robot.changer.serial}", "RecorderUnsuitable"]
    with pytest.raises(RecorderMissing):
        ChangerDevice.find("no-such-changer")


# --- several recorders, one arm


def test_two_recorders_share_one_arm(robot: ModelledRobot) -> None:
    media = robot.fill(s1=CD, s2=CD, s3=CD, s4=DVD, s5=DVD, s6=DVD)

    def make_discs(drive: int) -> None:
        loader = robot.loader(drive)
        for number, to in enumerate([(Bin.ACCEPT, Bin.ACCEPT), (Bin.ACCEPT, Bin.REJECT)][drive]):
            loader.load((CD, DVD)[drive])
            loader.unload(to, f"{drive}-{number}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(make_discs, (0, 1)))

    assert all(len(robot.where(medium)) == 1 for medium in media)
    assert len(robot.in_slots((7, 8, 9))) == 3
    assert [disc.kind for disc in robot.in_slots(REJECT)] == [DVD]
    assert [len(robot.in_slots((first, first + 1, first + 2))) for first in (1, 4)] == [1, 1]


def test_a_move_that_hangs_keeps_the_arm_from_everybody_until_it_ends(robot: ModelledRobot) -> None:
    (medium, *_) = robot.fill(s1=CD, s4=DVD)
    neighbour = robot.loader(1, wait=0.0)
    known = neighbour.stock()
    robot.changer.mechanism.script(Mishap.HANG)

    with pytest.raises(RecorderStalled, match="stays locked until it does"):
        robot.loader(patience=0.5).load(CD)
    with pytest.raises(RecorderBusy):
        neighbour.load(DVD)
    with pytest.raises(RecorderBusy):
        robot.loader(wait=0.0).resume()
    meanwhile = neighbour.stock()
    robot.changer.mechanism.script()
    robot.loader().resume()
    neighbour.load(DVD)

    assert known == meanwhile == [CD, DVD]
    assert robot.where(medium) == ["drive 0"]
    assert not robot.drives[0].mechanism.is_open
    assert robot.drives[1].mechanism.medium.kind is DVD


# --- killed on the way


def killed_before(robot: ModelledRobot, step: int, *words: str) -> bool:
    """Let a process move discs and be killed before a step; say whether it was."""
    command = [sys.executable, "-m", "tests.robot_alone", str(robot.folder), str(step), *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout) in {(-signal.SIGKILL, ""), (0, "done\n")}, ended.stderr
    return ended.returncode != 0


def test_a_worker_killed_at_any_step_of_an_exchange_loses_no_disc(robot: ModelledRobot) -> None:
    cd, dvd = robot.fill(s1=CD, s4=DVD)
    loader = robot.loader()
    loader.load(CD)

    for step in range(2 * LOAD_STEPS + 1):
        was_killed = killed_before(robot, step, "load", DVD)
        loader.resume()
        settled = robot.journal().read().moves == {}
        once = len(robot.where(cd)), len(robot.where(dvd))
        loader.load(DVD)
        done = robot.where(cd), robot.where(dvd), robot.drives[0].mechanism.is_open
        loader.load(CD)

        assert was_killed is (step < 2 * LOAD_STEPS), step
        assert settled, step
        assert once == (1, 1), step
        assert done == (["slot 1"], ["drive 0"], False), step


def test_a_worker_killed_at_any_step_of_taking_a_bad_disc_out_leaves_it_in_reject(robot: ModelledRobot) -> None:
    loader = robot.loader()
    for step in range(LOAD_STEPS):
        (medium,) = robot.fill(s1=CD)
        loader.load(CD)

        was_killed = killed_before(robot, step, "unload", Bin.REJECT, f"bad-{step}")
        loader.resume()
        if robot.where(medium) == ["drive 0"]:
            assert step == 0  # nothing was written down: whoever finds the disc settles where it goes
            loader.unload(Bin.REJECT, f"bad-{step}")

        assert was_killed, step
        assert robot.where(medium) == ["slot 10"], step
        assert loader.place_of(f"bad-{step}") == "slot 10 of the robot", step
        robot.changer.put(10, None)


def test_a_move_outlives_its_worker_and_keeps_the_arm(robot: ModelledRobot) -> None:
    (medium,) = robot.fill(s1=CD)
    robot.changer.mechanism.script(Mishap.HANG)
    command = [sys.executable, "-m", "tests.robot_alone", str(robot.folder), "9", "load", CD]
    worker = subprocess.Popen(command)
    wait_until(robot.moves, "the arm moves")

    worker.kill()
    worker.wait(30)
    with pytest.raises(RecorderBusy):
        robot.loader(wait=0.0).resume()
    robot.changer.mechanism.script()
    robot.loader().resume()

    assert robot.where(medium) == ["drive 0"]
    assert robot.moves().total() == 1
