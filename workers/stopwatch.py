"""How long burns and verifications take, for whoever watches the rig over months."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from jobs import tally
from models.database import Database

log = logging.getLogger(__name__)

_KEPT = frozenset({tally.BURN_SECONDS, tally.VERIFY_SECONDS})


class Stopwatch:
    """Times the laps of one attempt; what fails or is not kept leaves no figure."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._laps: dict[str, float] = {}

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Time what is done inside."""
        began = self._clock()
        yield
        self._laps[name] = self._clock() - began

    def add(self, name: str, seconds: float | None) -> None:
        """Take a lap that somebody else timed, unless it was timed here; None is no figure."""
        if seconds is not None:
            self._laps.setdefault(name, seconds)

    def write_down(self, database: Database, recorder: str) -> None:
        """Keep the laps, once the disc has its verdict; losing one loses nothing."""
        kept = {name: seconds for name, seconds in self._laps.items() if name in _KEPT}
        try:
            if kept:
                with database.write() as db:
                    for name, seconds in kept.items():
                        tally.observe(db, name, recorder, seconds)
        except SQLAlchemyError as error:
            log.info("the seconds of a disc of %s were not kept: %s", recorder, error)
