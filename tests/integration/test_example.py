"""The example walks the whole lifecycle, twice, and its discs are what it says."""

import subprocess
import sys
from pathlib import Path

from tests.mastering import files_of

ROOT = Path(__file__).parents[2]


def test_the_example_burns_a_data_and_an_audio_disc(tmp_path: Path) -> None:
    command = [sys.executable, "examples/interacting.py", str(tmp_path)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("BurnComplete: ok") == 3
    data, audio = (Path(line.split(": ", 1)[1]) for line in done.stdout.splitlines() if line.startswith("  the disc:"))
    files = files_of(data.read_bytes())
    assert files["readme.txt"] == b"Burnt step by step.\n"
    assert files["sources/interacting.py"] == (ROOT / "examples/interacting.py").read_bytes()
    assert audio.suffix == ".bin"
    assert audio.stat().st_size == 2 * 5 * 75 * 2352
    cue = audio.with_suffix(".cue").read_text("latin-1")
    assert 'TITLE "440 Hz"' in cue
    assert "ISRC ZZXYZ2600002" in cue
