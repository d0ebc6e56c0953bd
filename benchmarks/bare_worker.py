"""The peer of order-to-laser: a Celery worker with the same settings whose task only notes when it began."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring import boot_clock, wait_until
from jobs.dispatch import make_app, queue_of

_NAME, _TASK = "bare-peer", "benchmarks.note"


class BarePeer:
    """Sends tasks to the bare worker and hears when they began."""

    def __init__(self, broker_url: str, folder: Path) -> None:
        self._app = make_app(broker_url)
        self._folder = folder
        self._sent = 0

    def send(self) -> Path:
        """Send one task; return the file that it will write."""
        self._sent += 1
        answer = self._folder / f"answer-{self._sent}"
        self._app.send_task(_TASK, args=[str(answer)], queue=queue_of(_NAME))  # type: ignore[arg-type]
        return answer

    def delay(self) -> float:
        """Return the seconds from a call of `send_task` until the task begins."""
        begin = boot_clock()
        answer = self.send()
        return float(wait_until(lambda: _content(answer), "the bare worker's answer")) - begin

    def close(self) -> None:
        """Close the connections."""
        self._app.close()


@contextmanager
def bare_peer(broker_url: str, folder: Path) -> Iterator[BarePeer]:
    """Run the bare worker."""
    command = [sys.executable, "-m", "benchmarks.bare_worker", broker_url]
    worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peer = BarePeer(broker_url, folder)
    try:
        peer.delay()
        yield peer
    finally:
        peer.close()
        worker.terminate()
        worker.wait()


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _serve(broker_url: str) -> None:
    app = make_app(broker_url, recorder=_NAME)

    @app.task(name=_TASK)
    def note(answer: str) -> None:
        began = boot_clock()
        draft = Path(f"{answer}.draft")
        draft.write_text(str(began), encoding="utf-8")
        draft.rename(answer)

    options = ["--without-mingle", "--without-gossip", f"--hostname={_NAME}@localhost"]
    app.worker_main(["worker", "--pool=threads", "--concurrency=1", *options])


if __name__ == "__main__":
    _serve(sys.argv[1])
