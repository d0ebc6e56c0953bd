"""The doors that messages knock on: one task, which only names an attempt."""

from collections.abc import Callable

from celery import Celery

from jobs.dispatch import BURN


def register_tasks(app: Celery, burn: Callable[[str], str]) -> None:
    """Make an app know one task: `burn` makes the disc of an attempt and returns the ledger's verdict.

    Celery's own tasks are taken out: nobody here sends them, and some call others on a message's word.
    """
    app.finalize()
    for name in [name for name in app.tasks if name != BURN]:
        app.tasks.unregister(name)

    @app.task(name=BURN)
    def burn_attempt(attempt_id: str) -> str:
        return burn(attempt_id)
