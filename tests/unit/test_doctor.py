"""What the doctor finds without a server: each cause is brought about for real, in files, programs and processes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.settings import RecorderSetting, load_settings
from workers.doctor import drives
from workers.doctor.automount import automount_findings, mount_findings
from workers.doctor.clock import clock_findings, grade_skew, grade_synchronisation
from workers.doctor.content import root_findings
from workers.doctor.database import database_findings, grade_file_system
from workers.doctor.disk import demand, measure, room_findings, speed_findings
from workers.doctor.doorway import door_findings
from workers.doctor.drives import drive_findings, permission_fault
from workers.doctor.examination import examine, fetch
from workers.doctor.findings import Check, Finding, Grade, well
from workers.doctor.limits import limit_findings
from workers.doctor.mounts import mount_of, mounts
from workers.doctor.programs import BURN_PROGRAMS, CHANGER, DECODERS, program_findings

XORRISO, CDRSKIN = BURN_PROGRAMS
ROOT = Path(__file__).parents[2]
NOBODY = 65534


def grades(findings: Iterator[Finding]) -> list[tuple[str, Grade]]:
    return [(finding.check, finding.grade) for finding in findings]


def only(findings: Iterator[Finding]) -> Finding:
    (found,) = findings
    return found


def put(root: Path, place: str, content: str) -> Path:
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def a_program(folder: Path, name: str, says: str) -> None:
    put(folder, name, f"#!/bin/sh\necho '{says}'\n").chmod(0o755)


def test_a_burn_program_that_is_missing_is_a_failure_where_it_is_needed(tmp_path: Path) -> None:
    needed = only(program_findings(XORRISO, is_needed=True, places=str(tmp_path)))
    not_needed = only(program_findings(XORRISO, is_needed=False, places=str(tmp_path)))

    assert (needed.grade, needed.remedy) == (Grade.FAILURE, "apt-get install xorriso")
    assert not_needed.grade is Grade.OK


def test_a_burn_program_that_is_older_than_those_that_were_tried_is_a_failure(tmp_path: Path) -> None:
    a_program(tmp_path, "xorriso", "xorriso version   :  1.5.2")

    found = only(program_findings(XORRISO, is_needed=True, places=str(tmp_path)))

    assert found.grade is Grade.FAILURE
    assert "1.5.2" in found.seen
    assert "1.5.4" in found.remedy


def test_a_flaw_that_discmill_knows_how_to_live_with_is_told_of_its_version_alone(tmp_path: Path) -> None:
    a_program(tmp_path / "old", "cdrskin", "cdrskin version : 1.5.4")
    a_program(tmp_path / "new", "cdrskin", "cdrskin version : 1.5.6")

    old, new = (only(program_findings(CDRSKIN, is_needed=True, places=str(tmp_path / age))) for age in ("old", "new"))

    assert (old.grade, new.grade) == (Grade.OK, Grade.OK)
    assert "69:37" in old.seen
    assert "69:37" not in new.seen


def test_a_program_that_says_nothing_of_its_version_is_worrying(tmp_path: Path) -> None:
    a_program(tmp_path, "mtx", "Segmentation fault")

    assert only(program_findings(CHANGER, is_needed=True, places=str(tmp_path))).grade is Grade.WARNING


def test_a_decoder_that_is_missing_is_worrying(tmp_path: Path) -> None:
    found = only(program_findings(DECODERS[0], is_needed=False, places=str(tmp_path)))

    assert found.grade is Grade.WARNING
    assert "if such files are ordered" in found.remedy


def test_the_programs_of_this_host_tell_their_versions() -> None:
    found = [only(program_findings(program, is_needed=True)) for program in BURN_PROGRAMS]

    assert all("unknown" not in finding.seen for finding in found), found


@pytest.fixture
def closed_node(short_path: Path) -> Path:
    """Give a device file that nobody but its owner may use, in a folder that all may enter."""
    short_path.chmod(0o755)
    node = put(short_path, "sr0", "")
    node.chmod(0o600 if os.geteuid() == 0 else 0o000)
    return node


def as_nobody(look: Check) -> Finding:
    """Make a check as a user without rights."""

    def drop_and_look() -> Iterator[Finding]:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        yield from look.look()

    (found,) = examine([Check(look.name, drop_and_look)])
    return found


def fault_of(node: Path) -> Iterator[Finding]:
    fault = permission_fault("recorder left", node)
    yield fault or well("recorder left", "may be used")


def test_a_device_file_without_permission_for_its_group_is_a_failure(closed_node: Path) -> None:
    found = as_nobody(Check("recorder left", lambda: fault_of(closed_node)))

    assert found.grade is Grade.FAILURE
    assert "may not use it" in found.seen
    assert "chmod 0660" in found.remedy


def test_who_is_not_in_the_group_of_a_device_file_is_told_to_join_it(tmp_path: Path) -> None:
    node = put(tmp_path, "sr0", "")
    node.chmod(0o660)
    group = frozenset({node.stat().st_gid})

    stranger = drives._not_permitted("recorder left", node, drives._Who("ann", frozenset(), frozenset()))
    newcomer = drives._not_permitted("recorder left", node, drives._Who("ann", frozenset(), group))

    assert (stranger.grade, newcomer.grade) == (Grade.FAILURE, Grade.FAILURE)
    assert stranger.remedy.startswith("usermod -aG ")
    assert newcomer.remedy.startswith("log in anew")


def test_a_device_file_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    fault = permission_fault("recorder left", tmp_path / "sr0")

    assert fault is not None
    assert (fault.grade, fault.seen) == (Grade.FAILURE, f"there is no {tmp_path / 'sr0'}")


def test_a_drive_that_is_not_attached_is_a_failure(tmp_path: Path) -> None:
    left = RecorderSetting(name="left", uri="scsi:K9X2")

    found = only(drive_findings(left, tmp_path))

    assert found.grade is Grade.FAILURE
    assert "recorders attached" in found.remedy


def test_a_drive_in_a_changer_is_called_by_its_name_alone(tmp_path: Path) -> None:
    left = RecorderSetting(name="left", uri="scsi:K9X2?changer=/dev/sg2&drive=0&input=cd-r@1&accept=2&reject=3")

    found = only(drive_findings(left, tmp_path))

    assert found.seen == "no drive is called 'K9X2' here"


def test_a_recorder_of_an_unknown_scheme_is_a_failure() -> None:
    assert only(drive_findings(RecorderSetting(name="left", uri="imagined:x"))).grade is Grade.FAILURE


def test_an_automounter_is_worrying_until_udev_keeps_it_off_the_drives(tmp_path: Path) -> None:
    put(tmp_path, "proc/77/comm", "udisksd\n")
    put(tmp_path, "sys/block/sr0/dev", "11:0\n")
    nodes = [Path("/dev/sr0")]

    before = only(automount_findings(nodes, tmp_path))
    put(tmp_path, "run/udev/data/b11:0", "I:1\nE:UDISKS_IGNORE=1\n")
    after = only(automount_findings(nodes, tmp_path))

    assert before.grade is Grade.WARNING
    assert "UDISKS_IGNORE" in before.remedy
    assert after.grade is Grade.OK


def test_an_automounter_that_runs_is_seen_by_its_name(tmp_path: Path) -> None:
    program = tmp_path / "udisksd"
    program.symlink_to("/bin/sleep")
    running = subprocess.Popen([program, "60"])
    try:
        found = only(automount_findings([Path("/dev/sr0")]))
    finally:
        running.kill()
        running.wait()

    assert found.grade is Grade.WARNING
    assert "udisks2" in found.seen


def test_a_mounted_disc_is_a_failure(tmp_path: Path) -> None:
    put(tmp_path, "proc/self/mountinfo", "30 22 11:0 / /media/my\\040disc ro - iso9660 /dev/sr0 ro\nnonsense\n")

    found = only(mount_findings([Path("/dev/sr0"), Path("/dev/sr1")], tmp_path))

    assert (found.grade, found.remedy) == (Grade.FAILURE, "umount /media/my disc")


def test_a_database_file_on_another_host_is_a_failure(tmp_path: Path) -> None:
    lines = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / /srv/home rw shared:2 - nfs4 nas:/home rw\n"
    put(tmp_path, "proc/self/mountinfo", lines)
    mounted = mounts(tmp_path)

    far, near = (
        grade_file_system(file, mount_of(file, mounted)) for file in (Path("/srv/home/a.db"), Path("/srv/homes/a.db"))
    )

    assert (far.grade, near.grade) == (Grade.FAILURE, Grade.OK)
    assert "nas:/home" in far.seen


@given(lines=st.text(max_size=200))
def test_mounts_are_read_from_whatever_there_is(lines: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        put(Path(root), "proc/self/mountinfo", lines)

        assert all(mount.type for mount in mounts(Path(root)) if mount.source)


def test_a_home_that_may_not_be_written_is_a_failure(short_path: Path) -> None:
    short_path.chmod(0o555)

    found = as_nobody(Check("home", lambda: room_findings(short_path / "home", 0)))

    short_path.chmod(0o755)
    assert (found.check, found.grade) == ("home", Grade.FAILURE)


def test_a_disk_without_room_for_all_recorders_is_worrying(tmp_path: Path) -> None:
    assert grades(room_findings(tmp_path, 1_000_000)) == [("home", Grade.OK), ("disk space", Grade.WARNING)]


def test_a_disk_without_any_room_is_a_failure() -> None:
    findings = list(room_findings(Path("/sys"), 0))  # a file system of the kernel's, whose files take no room

    assert findings[-1].grade is Grade.FAILURE


def test_a_disk_that_is_slower_than_the_recorders_is_worrying(tmp_path: Path) -> None:
    greedy = RecorderSetting(name="r1", uri=f"emulated:{tmp_path}?speed=9999x")
    slow = RecorderSetting(name="r1", uri=f"emulated:{tmp_path}?speed=0.001x")

    assert only(speed_findings(tmp_path, demand([greedy] * 10, {}))).grade is Grade.WARNING
    assert only(speed_findings(tmp_path, demand([slow], {}))).grade is Grade.OK
    assert min(measure(tmp_path)) > 0


def test_recorders_take_what_their_fastest_media_do() -> None:
    left, right = RecorderSetting(name="left", uri="scsi:/dev/sr0"), RecorderSetting(name="right", uri="scsi:/dev/sr1")

    assert demand([left], {"left": ["cd-r"]}) == 52 * 75 * 2048
    assert demand([left, right], {"left": ["cd-r"]}) == 52 * 75 * 2048 + 16 * 4_495_625
    assert demand([RecorderSetting(name="r", uri="emulated:/x")], {}) == 0


def test_a_content_root_that_is_gone_empty_or_closed_is_told(short_path: Path) -> None:
    (short_path / "empty").mkdir()
    put(short_path, "full/a.txt", "a")
    closed = short_path / "closed"
    closed.mkdir(mode=0o000)
    short_path.chmod(0o755)

    found = {name: only(root_findings(short_path / name)).grade for name in ("gone", "empty", "full")}
    shut = as_nobody(Check("root", lambda: root_findings(closed)))

    assert found == {"gone": Grade.FAILURE, "empty": Grade.WARNING, "full": Grade.OK}
    assert shut.grade is Grade.FAILURE


def test_a_clock_that_nothing_keeps_right_is_worrying() -> None:
    assert grade_synchronisation(5, 0x40).grade is Grade.WARNING
    assert grade_synchronisation(0, 0x40).grade is Grade.WARNING
    assert grade_synchronisation(0, 0x2001).grade is Grade.OK


def test_the_kernel_tells_of_its_clock() -> None:
    assert only(clock_findings()).check == "clock"


def test_clocks_that_differ_are_worrying_unless_the_answer_only_took_its_time() -> None:
    assert grade_skew(3600.0, 3599.9).grade is Grade.WARNING
    assert grade_skew(-3599.9, -3600.0).grade is Grade.WARNING
    assert grade_skew(20.0, -20.0).grade is Grade.OK
    assert "behind" in grade_skew(-3599.9, -3600.0).seen


def test_flower_open_to_a_network_is_a_failure(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, flower_address="0.0.0.0", flower_port=1)  # noqa: S104  (what is refused)

    assert only(door_findings(settings)).grade is Grade.FAILURE


def test_a_home_without_a_rig_is_worrying_and_makes_no_database(tmp_path: Path) -> None:
    found = only(database_findings(load_settings(home=tmp_path / "home")))

    assert found.grade is Grade.WARNING
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(("files", "grade"), [(64, "failure"), (512, "warning"), (2048, "ok")])
def test_few_open_files_are_told(files: int, grade: str) -> None:
    words = "from workers.doctor.limits import limit_findings as l; print(*[found.grade for found in l()])"

    said = subprocess.check_output(
        ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", sys.executable, "-c", words], cwd=ROOT, text=True
    )

    assert said.strip() == grade
    assert only(limit_findings()).check == "limits"


def hang() -> Iterator[Finding]:
    """Hang as in a device that never answers: in the kernel, for ever."""
    os.read(os.pipe()[0], 1)
    yield well("never", "said")


def die() -> Iterator[Finding]:
    yield well("before", "it died")
    raise MemoryError


def test_a_check_that_hangs_is_left_behind_and_the_others_are_heard() -> None:
    checks = [Check("hanging", hang, 0.5), Check("dying", die), Check("well", lambda: [well("well", "it is")])]

    found = examine(checks)

    assert [(finding.check, finding.grade) for finding in found] == [
        ("hanging", Grade.FAILURE),
        ("before", Grade.OK),
        ("dying", Grade.FAILURE),
        ("well", Grade.OK),
    ]
    assert "gave no answer" in found[0].seen


def test_an_answer_that_never_comes_is_none() -> None:
    assert fetch(lambda: ({"check": finding.check} for finding in hang()), 0.2) == []
    assert fetch(lambda: [{"name": "left"}], 20) == [{"name": "left"}]


def test_no_finding_tells_a_secret() -> None:
    secret = well("database", "postgresql://discmill:geheim@db/discmill")

    (found,) = examine([Check("database", lambda: [secret])])

    assert found.seen == "postgresql://discmill:***@db/discmill"
