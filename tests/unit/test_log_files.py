import subprocess
import sys
from pathlib import Path

from workers.log_files import rotate
from workers.programs import Program


def test_a_small_file_stays(tmp_path: Path) -> None:
    file = tmp_path / "r1.log"
    file.write_text("a line\n")

    assert not rotate(file, most=100)
    assert not rotate(tmp_path / "nothing.log")
    assert file.read_text() == "a line\n"


def test_so_many_older_files_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "r1.log"

    for number in range(6):
        file.write_text(f"{number}" * 100)
        assert rotate(file, most=100, kept=3)

    assert {path.name: path.read_text()[:1] for path in tmp_path.iterdir()} == {
        "r1.log": "",
        "r1.log.1": "5",
        "r1.log.2": "4",
        "r1.log.3": "3",
    }


def test_a_program_goes_on_writing_into_the_file_it_has(tmp_path: Path) -> None:
    file = tmp_path / "talker.log"
    script = "import sys\nfor line in sys.stdin: print(line * 10, end='', flush=True)"
    with file.open("ab") as out:
        talker = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=out, text=True)
    assert talker.stdin is not None

    for number in range(50):
        talker.stdin.write(f"{number:04d} something to say\n")
        talker.stdin.flush()
        rotate(file, most=1000)
    talker.communicate()

    assert max(path.stat().st_size for path in tmp_path.iterdir()) < 100_000
    assert b"\0" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert "0049 something to say" in "".join(path.read_text() for path in tmp_path.iterdir())


def test_a_rigs_programs_rotate_what_they_print(tmp_path: Path) -> None:
    file = tmp_path / "loud.log"
    file.write_bytes(b"x" * (11 << 20))
    program = Program("loud", [sys.executable, "-c", "print('more')"], {}, file)

    program.start()
    assert program.process is not None
    program.process.wait()
    program.keep_running()

    assert file.stat().st_size < 1000
    assert (tmp_path / "loud.log.1").stat().st_size > 11 << 20
