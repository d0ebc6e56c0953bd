"""The same rig with the other database: PostgreSQL instead of SQLite."""

import os
import signal
from pathlib import Path

from jobs import control, data_disc
from models.vocabulary import JobState
from tests.rigs import running_rig


def test_orders_are_made_cancelled_and_recovered_on_postgresql(
    postgres_database_url: str, short_path: Path, tmp_path: Path
) -> None:
    with running_rig(short_path, tmp_path, recorders=2, database_url=postgres_database_url) as rig:
        several = rig.mill.submit(data_disc(rig.content("several", size=2 << 20)), copies=3)
        assert several.wait(60).state is JobState.COMPLETED
        assert len(rig.discs_of(several)) == 3

        killed = rig.mill.submit(data_disc(rig.content("killed", size=2 << 20)), speed=4)
        os.kill(rig.pid(str(rig.halfway(killed)["recorder"])), signal.SIGKILL)
        assert killed.wait(60).state is JobState.COMPLETED
        assert [str(disc["outcome"]) for disc in killed.report().discs] == ["good"]

        control.pause(rig.mill.database, ["r1", "r2"])
        queued = rig.mill.submit(data_disc(rig.content("queued", size=1 << 20)), copies=2)
        queued.cancel()
        assert queued.wait(60).state is JobState.CANCELLED
