"""Looks after a drive while it is idle: what was left, what operators ask, its medium, its next disc."""

import logging
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from jobs import scheduling
from jobs.errors import DiscError, Fenced, MechanismFault, RecorderBusy
from jobs.mastering.medium import MediumInfo, MediumKind
from jobs.mastering.recorder import Bin
from jobs.scheduling import Assignment
from models.attempt import Attempt
from models.vocabulary import Condition, Stage
from workers import recovery, wants
from workers.attempt import run_attempt
from workers.registry import Sight, call_person, observe, tell_features
from workers.requests import answer_requests
from workers.station import Station
from workers.stillness import read_facts

log = logging.getLogger(__name__)

#: Wrong media in a row until a person is called.
_MISFEEDS = 3


def start_up(station: Station) -> None:
    """Resolve what the last owner left, then make the disc that was promised meanwhile."""
    recovery.recover(station)
    recovery.recall(station)
    tell_features(station.database, station.owner, station.device.recorder.features())
    look(station)
    promised = _promised(station)
    if promised is not None:
        run_attempt(station, promised)
        look(station)


def patrol(station: Station) -> None:
    """Make a round, unless database, tray and stock are as the last one found them."""
    facts = read_facts(station.database, station.name)
    if station.stillness.has(facts) and _is_untouched(station):
        return
    station.stillness.begin()
    round_trip(station)
    station.stillness.keep(facts, station.settings.heartbeat)


def _is_untouched(station: Station) -> bool:
    found, device = station.stillness, station.device
    return device.recorder.probe() == found.medium and tuple(device.loader.stock()) == found.stock


def round_trip(station: Station) -> None:
    """Do what an idle moment asks for."""
    _finish_what_was_left(station)
    answer_requests(station)
    _see(station)
    scheduling.assign_to(station.database, station.name)
    promised = _promised(station)
    if promised is None or promised == station.rung:
        return
    station.rung = promised
    if not station.bell.ring(Assignment(promised, station.name)):
        log.warning("the broker is away; attempt %s starts without a message", promised)
        run_attempt(station, promised)
        look(station)


def go_on(station: Station) -> None:
    """After a disc, have the next one begin at once: a drive that waits for somebody's next look stands idle.

    A message brings it, as any other; where the broker is away the next round starts it.
    """
    look(station)
    following = None if station.stopping.is_set() else scheduling.assign_to(station.database, station.name)
    if following is None:
        station.device.recorder.expect(None)
    elif station.bell.ring(following):
        station.rung = following.attempt


def _promised(station: Station) -> str | None:
    """Return the attempt that was promised to this recorder and that nobody claimed yet."""
    mine = select(Attempt.id).where(
        Attempt.recorder == station.name, Attempt.stage == Stage.ASSIGNED, Attempt.outcome.is_(None)
    )
    with station.database.read() as db:
        return db.scalar(mine)


def tend(station: Station, step: Callable[[Station], None]) -> bool:
    """Take a step; where the recorder is in the way, write down what a person has to see, and say False.

    Raises:
        Fenced: the recorder has a newer owner.
        Exception: what nobody thought of; a person sees that, too.
    """
    try:
        step(station)
    except (Fenced, DBAPIError):
        raise
    except DiscError as error:
        condition = Condition.LOADING if isinstance(error, RecorderBusy) else Condition.ATTENTION
        observe(station.database, station.owner, Sight(condition, error.message))
        if isinstance(error, MechanismFault) and not wants.is_set_aside(station):
            call_person(station.database, station.owner, error.message)
        return False
    except Exception as error:
        message = f"{type(error).__name__}: {error}; tried again, see the worker's log"
        observe(station.database, station.owner, Sight(Condition.ATTENTION, message))
        raise
    return True


def look(station: Station) -> None:
    """See what is in the tray, bring in what the queue needs, and write down what was seen.

    Nothing is moved before every disc that was written has its verdict and has left.

    Raises:
        DiscError: the recorder or its loader failed.
    """
    _finish_what_was_left(station)
    _see(station)


def _finish_what_was_left(station: Station) -> None:
    station.device.loader.resume()
    if recovery.is_needed(station):
        recovery.recover(station)


def _see(station: Station) -> None:
    loader = station.device.loader
    medium = station.device.recorder.probe()
    stock = loader.stock()
    if stock and not wants.is_set_aside(station):
        medium = _exchange(station, medium, list(stock))
    station.stillness.medium, station.stillness.stock = medium, tuple(stock)
    observe(station.database, station.owner, wants.sight(station, medium, by_hand=not stock))


def _exchange(station: Station, medium: MediumInfo | None, stock: list[MediumKind]) -> MediumInfo | None:
    """Have the loader bring in the kind of blank that the queue needs; return the medium that is in afterwards."""
    recorder, loader = station.device.recorder, station.device.loader
    if medium is not None and medium.used and wants.job_for(station, medium) is None:
        loader.unload(Bin.REJECT, f"not-blank-{station.media.of(medium)[-12:]}")
        medium = None
    kind = _kind_to_load(station, medium, stock)
    if kind is None:
        return medium
    observe(station.database, station.owner, Sight(Condition.LOADING, f"the loader brings a blank {kind.label}"))
    loader.load(kind)
    medium = recorder.probe()
    _count_misfeeds(station, medium, kind)
    return medium


def _count_misfeeds(station: Station, medium: MediumInfo | None, wanted: MediumKind) -> None:
    """Call a person when the loader goes on bringing something else, rather than work through its whole stock."""
    is_right = medium is not None and medium.kind is wanted and not medium.used
    station.misfeeds = 0 if is_right else station.misfeeds + 1
    if station.misfeeds >= _MISFEEDS:
        station.misfeeds = 0
        brought = "nothing" if medium is None else f"a {'used' if medium.used else 'blank'} {medium.kind}"
        message = f"the loader was asked for a blank {wanted} {_MISFEEDS} times and brought {brought}; see to its stock"
        call_person(station.database, station.owner, message)


def _kind_to_load(station: Station, medium: MediumInfo | None, stock: list[MediumKind]) -> MediumKind | None:
    """Choose what to load: what the queue needs; else keep one blank ready; None to leave the tray as it is."""
    if medium is not None and (medium.used or wants.job_for(station, medium) is not None):
        return None
    with station.database.read() as db:
        needed = scheduling.demand(db, station.name, stock)
    if needed is not None:
        return None if medium is not None and medium.kind is needed.kind else needed.kind
    return stock[0] if medium is None else None
