"""Prometheus metrics: read from the database when they are asked for, so that no restart loses a count."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from jobs import tally
from jobs.figures import DISCS, Figures, read_figures
from jobs.settings import Settings
from models.database import Database

log = logging.getLogger(__name__)

#: Seconds for which an answer is given again: many who ask at once cost the database one look. Where a look takes
#: long, so many times that: monitors take up a tenth of a database at most, however large the ledger has become.
_FRESH, _TIMES = 1.0, 9.0
_BURN = "Seconds from the start of a burn to the closed session; from its first block where recovery settled the disc"
_STATES = ("offline", "empty", "loading", "ready", "busy", "recovering", "attention", "paused", "quarantined")


class RigCollector(Collector):
    """Makes metrics of the database's figures."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._known: list[Metric] = []
        self._fresh_until = -math.inf

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: the database may be away when the server starts."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of this moment; without a database, that it is away."""
        with self._lock:
            began = self._clock()
            if began > self._fresh_until:
                self._known = self._look()
                took = self._clock() - began
                self._fresh_until = began + took + max(_FRESH, _TIMES * took)
            return self._known

    def _look(self) -> list[Metric]:
        up = GaugeMetricFamily("discmill_database_up", "1 if the database answers")
        try:
            with self._database.read() as db:
                figures = read_figures(db)
        except SQLAlchemyError as error:
            log.warning("the database does not answer: %s", error)
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        return [up, *metrics_of(figures)]


def metrics_of(figures: Figures) -> Iterator[Metric]:
    """Make metrics of figures."""
    queued = GaugeMetricFamily(
        "discmill_queued_copies", "Copies that wait for a recorder", labels=["medium", "blocks", "nonblank"]
    )
    for media_class, number in figures.queued.items():
        queued.add_metric(media_class.split("/"), number)
    jobs = GaugeMetricFamily("discmill_jobs", "Jobs by state", labels=["state"])
    for state, number in figures.jobs.items():
        jobs.add_metric([state], number)
    yield from (queued, jobs, _discs(figures), _recorders(figures))
    yield _counter(figures, tally.LEASES_EXPIRED, "Times a recorder's worker was taken for gone")
    yield _counter(figures, tally.MESSAGES_REPUBLISHED, "Messages that were sent again, since nobody took the first")
    yield _histogram(figures, tally.BURN_SECONDS, _BURN)
    yield _histogram(figures, tally.VERIFY_SECONDS, "Seconds that reading a disc back took, to its end")


def _discs(figures: Figures) -> Metric:
    """Discs are no counter: a person's word turns a spoiled one into a good one."""
    discs = GaugeMetricFamily("discmill_discs", "Discs in the ledger", labels=["recorder", "outcome"])
    for recorder in figures.recorders:
        for outcome in DISCS:
            discs.add_metric([recorder, str(outcome)], figures.discs.get((recorder, str(outcome)), 0))
    return discs


def _recorders(figures: Figures) -> Metric:
    states = GaugeMetricFamily("discmill_recorder_state", "1 for the state it is in", labels=["recorder", "state"])
    for recorder, shown in figures.recorders.items():
        for state in _STATES:
            states.add_metric([recorder, state], int(state == shown))
    return states


def _counter(figures: Figures, name: str, meaning: str) -> Metric:
    counter = CounterMetricFamily(f"discmill_{name}", meaning, labels=["recorder"])
    for recorder in figures.recorders:
        counter.add_metric([recorder], figures.tallies.get(name, {}).get(recorder, {}).get("", 0))
    return counter


def _histogram(figures: Figures, name: str, meaning: str) -> Metric:
    histogram = HistogramMetricFamily(f"discmill_{name}", meaning, labels=["recorder"])
    for recorder in figures.recorders:
        found = figures.tallies.get(name, {}).get(recorder, {})
        histogram.add_metric([recorder], list(_cumulative(found)), found.get(tally.SUM, 0.0))
    return histogram


def _cumulative(found: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    total = 0.0
    for bound in (*map(str, tally.BOUNDS), tally.INFINITE):
        total += found.get(bound, 0.0)
        yield bound, total


def serve_metrics(settings: Settings, stop: threading.Event) -> None:
    """Answer scrapes until `stop` is set.

    Raises:
        OSError: the port is taken.
    """
    database = Database(settings.database_url)
    registry = CollectorRegistry()
    registry.register(RigCollector(database))
    server, thread = start_http_server(settings.metrics_port, settings.metrics_address, registry)
    log.info("metrics are at http://%s:%d/metrics", settings.metrics_address, server.server_port)
    stop.wait()
    server.shutdown()
    server.server_close()
    thread.join()
    database.close()
