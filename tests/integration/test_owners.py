"""Who may be a recorder's owner, and what an order's key stands for."""

import os
from pathlib import Path

import pytest

from jobs import data_disc
from jobs.dispatch import make_app
from jobs.errors import KeyTaken, RecorderBusy
from jobs.mastering.recorder import RecorderIdentity
from jobs.ordering import Options
from jobs.settings import Settings, load_settings
from jobs.submission import Mill, submit
from models.database import Database
from models.vocabulary import Condition
from tests.builders import copy_rows, recorder_row, set_condition
from tests.steps import DeafBell, Worker
from workers.binding import Binding
from workers.registry import register

OURS = RecorderIdentity("DISCMILL", "EMULATED DRIVE", "1", "EM1", "emulated-EM1")
OTHER = RecorderIdentity("DISCMILL", "EMULATED DRIVE", "1", "EM2", "emulated-EM2")


def test_a_second_worker_of_a_device_is_refused(worker: Worker) -> None:
    uri = worker.station.device.recorder.uri

    with pytest.raises(RecorderBusy, match="locked by process"):
        Binding(worker.settings, "r2", uri, make_app("memory://", recorder="r2"))

    assert worker.station.owner.epoch == recorder_row(worker.database, "r1").epoch == 1


def settings_of(folder: Path) -> Settings:
    return load_settings(home=folder, heartbeat=0.1, lease=0.4)


def test_a_new_owner_raises_the_epoch_and_knows_no_medium(database: Database, tmp_path: Path) -> None:
    first = register(database, settings_of(tmp_path), "left", "emulated:left", OURS)
    with database.write() as db:
        row = db.merge(recorder_row(database))
        row.medium_kind, row.medium_id = "cd-r", "medium-1"

    second = register(database, settings_of(tmp_path), "left", "emulated:left", OURS)

    row = recorder_row(database)
    assert (first.epoch, second.epoch, row.epoch) == (1, 2, 2)
    assert (row.condition, row.medium_kind, row.medium_id) == (Condition.RECOVERING, None, None)


def test_a_name_goes_to_another_device_only_when_its_worker_is_gone(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    register(database, settings, "left", "emulated:left", OURS)
    beats = iter(range(2, 1000))
    with monkeypatch.context() as lives:
        lives.setattr("workers.registry._namesake", lambda *_: next(beats))
        with pytest.raises(RecorderBusy, match="choose another name"):
            register(database, settings, "left", "emulated:other", OTHER)
    refused = recorder_row(database).device_id

    set_condition(database, Condition.OFFLINE)
    register(database, settings, "left", "emulated:other", OTHER)

    assert (refused, recorder_row(database).device_id) == (OURS.device_id, OTHER.device_id)


def test_a_name_whose_heart_stands_still_for_a_lease_goes_to_another_device(database: Database, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    register(database, settings, "left", "emulated:left", OURS)

    register(database, settings, "left", "emulated:other", OTHER)

    assert recorder_row(database).device_id == OTHER.device_id


def test_a_key_stands_for_one_order(worker: Worker) -> None:
    folder = worker.root / "photos"
    folder.mkdir()
    (folder / "1.raw").write_bytes(os.urandom(4096))
    mill = Mill(worker.settings, worker.database, DeafBell())

    first = submit(mill, data_disc(folder), Options(key="order-4711", copies=2))
    again = submit(mill, data_disc(folder), Options(key="order-4711", copies=2))
    with pytest.raises(KeyTaken, match="order-4711"):
        submit(mill, data_disc(folder), Options(key="order-4711", copies=3))

    assert first == again
    assert len(copy_rows(worker.database, first)) == 2
