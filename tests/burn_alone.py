"""A worker that does nothing but burn, for tests to kill: `python -m tests.burn_alone CONTENT EVIDENCE URI`."""

import sys
from pathlib import Path

from jobs.mastering.checksums import take_checksums
from jobs.mastering.image import ExtentMap
from jobs.mastering.programme import Programme
from tests.burns import Content, Ear, allow
from workers.recorders import open_device


def main(folder: Path, evidence: Path, uri: str) -> None:
    image = ExtentMap.load(folder / "image.map")
    told = folder / "programme.json"
    programme = Programme.read(told.read_text(encoding="utf-8")) if told.exists() else None
    content = Content(folder, image, take_checksums(image).sha256, folder / "content.bin", evidence, programme)
    open_device(uri).recorder.record(content.order(), Ear(), allow)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
