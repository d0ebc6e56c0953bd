"""Who listens to a mastering session; one that raises does not hurt the burn."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from jobs.errors import BurnCancelled, NotFound
from jobs.mastering.progress import ProgressEvent, ProgressListener

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener made of functions, for programs that need no class."""

    heard: Callable[[ProgressEvent], None]
    cancelled: Callable[[], bool] = lambda: False

    def notify(self, event: ProgressEvent) -> None:
        """Hear an event."""
        self.heard(event)

    def query_cancel(self) -> bool:
        """Say whether to cancel."""
        return self.cancelled()


class Audience:
    """The listeners of a session, each known by the cookie it was given; itself a listener that never raises."""

    def __init__(self) -> None:
        self._listeners: dict[int, ProgressListener] = {}
        self._cookies = 0

    def admit(self, listener: ProgressListener) -> int:
        """Let one listen; return its cookie, which no other one ever gets."""
        self._cookies += 1
        self._listeners[self._cookies] = listener
        return self._cookies

    def dismiss(self, cookie: int) -> None:
        """Let one go.

        Raises:
            NotFound: nobody has this cookie.
        """
        if self._listeners.pop(cookie, None) is None:
            raise NotFound(f"no listener has the cookie {cookie}")

    def dismiss_all(self) -> None:
        """Let all go."""
        self._listeners.clear()

    def notify(self, event: ProgressEvent) -> None:
        """Tell everybody."""
        for listener in list(self._listeners.values()):
            try:
                listener.notify(event)
            except Exception:
                log.exception("a progress listener failed")

    def query_cancel(self) -> bool:
        """Say whether anybody wants to call off what runs."""
        return any(self._asks(listener) for listener in list(self._listeners.values()))

    def heed_cancel(self, what: str) -> None:
        """End what runs, if anybody wants that.

        Raises:
            BurnCancelled: somebody does.
        """
        if self.query_cancel():
            raise BurnCancelled(f"{what} was called off")

    @staticmethod
    def _asks(listener: ProgressListener) -> bool:
        try:
            return listener.query_cancel()
        except Exception:
            log.exception("a progress listener failed")
            return False
