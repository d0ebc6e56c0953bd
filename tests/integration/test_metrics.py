"""What Prometheus is shown: the ledger's figures, before and after every process was another one."""

import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.orm import Session

from jobs import data_disc, ledger, tally
from jobs.figures import Figures, read_figures
from jobs.scheduling import assign_to
from jobs.settings import Settings, load_settings
from models.database import Database
from models.recorder import Recorder
from models.vocabulary import Condition, Outcome
from tests.builders import a_disc, a_recorder, order, set_condition
from tests.rigs import running_rig, wait_until
from workers import metrics
from workers.dispatcher import Dispatcher
from workers.metrics import RigCollector, serve_metrics

Samples = dict[str, float]


def samples(database: Database) -> Samples:
    """Look at a database as a new process would; name and labels -> value."""
    found: Samples = {}
    for family in RigCollector(database).collect():
        for sample in family.samples:
            found[_name(sample.name, sample.labels)] = sample.value
    return found


def _name(name: str, labels: dict[str, str]) -> str:
    inner = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return f"{name}{{{inner}}}" if inner else name


def test_jobs_queues_discs_and_recorders_are_counted(database: Database) -> None:
    order(database, copies=5, recorders=["left", "right"], max_spoiled=9)
    order(database, copies=2, recorders=(), medium="bd")
    a_disc(database, Outcome.GOOD)
    a_disc(database, Outcome.SPOILED)
    set_condition(database, Condition.OFFLINE, "right")

    found = samples(database)

    assert found["discmill_database_up"] == 1
    assert found["discmill_discs{outcome=good,recorder=left}"] == 1
    assert found["discmill_discs{outcome=spoiled,recorder=left}"] == 1
    assert found["discmill_discs{outcome=good,recorder=right}"] == 0
    queued = {name: value for name, value in found.items() if name.startswith("discmill_queued_copies")}
    assert sum(value for name, value in queued.items() if "medium=dvd" in name) == 4
    assert sum(value for name, value in queued.items() if "medium=bd" in name) == 2
    assert (found["discmill_jobs{state=active}"], found["discmill_jobs{state=queued}"]) == (1, 1)
    assert found["discmill_recorder_state{recorder=right,state=offline}"] == 1
    assert sum(value for name, value in found.items() if name.startswith("discmill_recorder_state{recorder=left")) == 1


def test_a_persons_word_moves_a_disc_from_one_count_to_the_other(database: Database) -> None:
    order(database)
    attempt = a_disc(database, Outcome.SPOILED)
    with database.write() as db:
        ledger.resolve(db, attempt, Outcome.GOOD, by="ann")

    found = samples(database)

    assert found["discmill_discs{outcome=spoiled,recorder=left}"] == 0
    assert found["discmill_discs{outcome=good,recorder=left}"] == 1


def test_seconds_fall_into_cumulative_buckets(database: Database) -> None:
    with database.write() as db:
        a_recorder(db)
        for seconds in (0.5, 1.0, 14, 100_000):
            tally.observe(db, tally.BURN_SECONDS, "left", seconds)

    found = samples(database)

    def bucket(bound: str) -> float:
        return found[f"discmill_burn_seconds_bucket{{le={bound},recorder=left}}"]

    assert [bucket(bound) for bound in ("1", "5", "15", "10800", "+Inf")] == [2, 2, 3, 3, 4]
    assert found["discmill_burn_seconds_count{recorder=left}"] == 4
    assert found["discmill_burn_seconds_sum{recorder=left}"] == 100_015.5
    assert found["discmill_verify_seconds_count{recorder=left}"] == 0


def test_counts_of_many_at_once_are_all_kept(database: Database) -> None:
    with database.write() as db:
        a_recorder(db)

    def work() -> None:
        for _ in range(20):
            with database.write() as db:
                tally.observe(db, tally.VERIFY_SECONDS, "left", 2)
                tally.count(db, tally.LEASES_EXPIRED, "left")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = samples(database)
    assert found["discmill_verify_seconds_sum{recorder=left}"] == 160
    assert found["discmill_leases_expired_total{recorder=left}"] == 80


class _SilentBell:
    def __init__(self) -> None:
        self.rung: list[object] = []

    def ring(self, assignment: object) -> bool:
        self.rung.append(assignment)
        return True

    def waiting(self, _recorder: str) -> int:
        return 0


def test_a_lease_that_expires_and_a_message_sent_again_are_counted(database: Database, tmp_path: Path) -> None:
    order(database, copies=2, recorders=["left", "right"])
    assert assign_to(database, "left")
    clock, bell = [0.0], _SilentBell()
    settings = load_settings(home=tmp_path, heartbeat=5, lease=30)
    dispatcher = Dispatcher(settings, database, bell, clock=lambda: clock[0])  # type: ignore[arg-type]

    for clock[0] in range(12):
        with database.write() as db:
            db.get_one(Recorder, "left").heartbeat += 1
        dispatcher.tick()
    for clock[0] in range(12, 60):
        dispatcher.tick()

    found = samples(database)
    assert found["discmill_messages_republished_total{recorder=left}"] >= 2
    assert found["discmill_leases_expired_total{recorder=left}"] == 1
    assert found["discmill_leases_expired_total{recorder=right}"] == 1


def test_without_a_database_it_says_so(tmp_path: Path) -> None:
    assert samples(Database(f"sqlite:///{tmp_path / 'nothing.db'}")) == {"discmill_database_up": 0}


def test_many_who_ask_at_once_cost_one_look(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Session] = []

    def look(db: Session) -> Figures:
        looks.append(db)
        return read_figures(db)

    monkeypatch.setattr(metrics, "read_figures", look)
    monkeypatch.setattr(metrics, "_FRESH", 60.0)
    collector = RigCollector(database)

    for _ in range(10):
        list(collector.collect())

    assert len(looks) == 1


def test_a_look_that_takes_long_is_not_taken_again_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, looks = [0.0], list[float]()

    def look(db: Session) -> Figures:
        looks.append(clock[0])
        clock[0] += 4
        return read_figures(db)

    monkeypatch.setattr(metrics, "read_figures", look)
    collector = RigCollector(database, clock=lambda: clock[0])

    for clock[0] in range(0, 90, 3):
        list(collector.collect())

    assert looks == [0, 42, 84]


@pytest.fixture
def served(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve a database's metrics; gives their URL."""
    settings = Settings(home=tmp_path, metrics_port=0)
    settings.database_url = database.url.render_as_string(hide_password=False)
    said: list[tuple[object, ...]] = []
    monkeypatch.setattr(metrics.log, "info", lambda *words: said.append(words))
    stop = threading.Event()
    thread = threading.Thread(target=serve_metrics, args=(settings, stop))
    thread.start()
    _, address, port = wait_until(lambda: said[0] if said else None, "it listens")
    assert address == "127.0.0.1"
    yield f"http://{address}:{port}/metrics"
    stop.set()
    thread.join()


def test_a_scrape_is_prometheus_own_format(database: Database, served: str) -> None:
    order(database)
    a_disc(database, Outcome.GOOD)

    with urllib.request.urlopen(served, timeout=10) as answer:  # noqa: S310  (our own)
        families = {family.name: family for family in text_string_to_metric_families(answer.read().decode())}

    assert families["discmill_discs"].type == "gauge"
    assert families["discmill_burn_seconds"].type == "histogram"
    assert families["discmill_leases_expired"].type == "counter"
    assert all(family.documentation for family in families.values())


def test_a_rigs_burns_are_timed_and_its_counts_outlive_it(tmp_path: Path) -> None:
    (tmp_path / "content").mkdir()
    with running_rig(tmp_path / "rig", tmp_path / "content") as rig:
        url = rig.settings.database_url
        rig.mill.submit(data_disc(rig.content("timed", size=1 << 20)), copies=2).wait(timeout=60)
        rig.until_idle()
        database = Database(url)
        wait_until(lambda: samples(database).get("discmill_verify_seconds_count{recorder=r1}") == 2, "both are kept")

    found = samples(database)
    database.close()

    assert found["discmill_discs{outcome=good,recorder=r1}"] == 2
    assert found["discmill_burn_seconds_count{recorder=r1}"] == 2
    assert 0 < found["discmill_burn_seconds_sum{recorder=r1}"] < 60
    assert found["discmill_recorder_state{recorder=r1,state=offline}"] == 1
