"""A worker that is killed while its burner waits, or in the moments around its go.

`python -m tests.wait_alone CONTENT EVIDENCE URI MOMENT` prints the burner's process id first.
"""

import os
import signal
import sys
from pathlib import Path

from jobs.mastering.checksums import take_checksums
from jobs.mastering.image import ExtentMap
from jobs.mastering.medium import MediumInfo
from tests.burns import Content, Ear
from workers.recorders import open_device

#: When the worker dies: while its burner waits; between the permit and the go; after the go, which no burner has seen.
WAITING, PERMITTED, GONE = "waiting", "permitted", "gone"


def main(folder: Path, evidence: Path, uri: str, moment: str) -> None:
    image = ExtentMap.load(folder / "image.map")
    content = Content(folder, image, take_checksums(image).sha256, folder / "content.bin", evidence)
    recorder = open_device(uri).recorder
    recorder.expect(content.order().image)
    burner: int = recorder._burns._understudy._waiting._process.pid  # type: ignore[attr-defined]
    sys.stdout.write(f"{burner}\n")
    sys.stdout.flush()
    if moment == WAITING:
        signal.pause()
    permitted: list[MediumInfo] = []

    def permit(found: MediumInfo) -> None:
        if moment == PERMITTED:
            os.kill(os.getpid(), signal.SIGKILL)
        os.kill(burner, signal.SIGSTOP)
        permitted.append(found)

    def cancel() -> bool:
        if permitted:  # whoever asks now follows the burner
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    recorder.record(content.order(), Ear(cancel=cancel), permit)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
