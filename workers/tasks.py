"""The doors that messages knock on: one task, which only names an attempt."""

from collections.abc import Callable

from celery import Celery

from jobs.dispatch import BURN


def register_tasks(app: Celery, burn: Callable[[str], str]) -> None:
    """Add the tasks to an app; `burn` makes the disc of an attempt and returns the ledger's verdict."""

    @app.task(name=BURN)
    def burn_attempt(attempt_id: str) -> str:
        return burn(attempt_id)
