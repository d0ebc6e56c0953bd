"""The demo does what it says: real discs of both kinds, compared with what they were ordered to be."""

import hashlib
import os
import subprocess
from pathlib import Path

from workers.programs import own_command


def test_the_demo_makes_good_discs_of_both_kinds(tmp_path: Path) -> None:
    home = tmp_path / "home"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DISCMILL_")}

    done = subprocess.run(
        own_command("demo", "--home", str(home)),
        env=inherited,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    discs = [disc for kind in ("iso", "bin") for disc in sorted(home.glob(f"recorders/*/shelf/accept/*.{kind}"))]
    assert [disc.suffix for disc in discs] == [".iso"] * 3 + [".bin"] * 2
    for disc in discs:
        with disc.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        assert f"{digest}  {disc}" in done.stdout
    sheet = discs[-1].with_suffix(".cue").read_text(encoding="iso-8859-1")
    assert [title in sheet for title in ("discmill tunes", "Calling On", "Halfway There", "Lead-Out")] == [True] * 4
