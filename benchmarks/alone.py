"""One call of the library in a process of its own, as peers are processes: `python -m benchmarks.alone CALL ...`."""

import sys
from collections.abc import Callable
from pathlib import Path


def copy(content: str, output: str) -> None:
    """Lay out and write to a file, unchecked."""
    from jobs.image_file import copy_image, lay_out_content  # noqa: PLC0415  (each call imports what it needs)
    from jobs.roots import ContentRoots  # noqa: PLC0415

    laid = lay_out_content(ContentRoots([Path("/")]), [Path(content)], None, "DISC", _silent, check=False)
    copy_image(laid.image, Path(output), _silent)


def stream(content: str) -> None:
    """Lay out and write to the output, as a burner feeds a burn program."""
    from jobs.image_file import lay_out_content  # noqa: PLC0415
    from jobs.mastering.image import ImageReader  # noqa: PLC0415
    from jobs.roots import ContentRoots  # noqa: PLC0415

    image = lay_out_content(ContentRoots([Path("/")]), [Path(content)], None, "DISC", _silent, check=False).image
    buffer = memoryview(bytearray(1 << 20))
    with ImageReader(image) as reader, open(1, "wb", buffering=0) as out:
        for position in range(0, image.size, len(buffer)):
            part = buffer[: min(len(buffer), image.size - position)]
            reader.readinto(position, part)
            out.write(part)


def submit(home: str, content: str) -> None:
    """Order a disc."""
    from jobs.client import Client  # noqa: PLC0415
    from jobs.ordering import data_disc  # noqa: PLC0415
    from jobs.settings import load_settings  # noqa: PLC0415

    with Client(settings=load_settings(home=Path(home), content_roots=[Path(content)])) as mill:
        mill.submit(data_disc(Path(content)))


def _silent(_phase: str, _done: int, _total: int) -> None:
    pass


if __name__ == "__main__":
    calls: dict[str, Callable[..., None]] = {"copy": copy, "stream": stream, "submit": submit}
    calls[sys.argv[1]](*sys.argv[2:])
