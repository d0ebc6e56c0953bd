"""The Celery worker of one recorder, and what Flower may not do to it."""

from celery import Celery
from celery.worker.control import Panel

from jobs.dispatch import make_app
from jobs.settings import Settings
from workers.binding import Binding
from workers.tasks import register_tasks

#: Control commands that could hurt a burn, or change that one worker does one burn at a time.
_REFUSED = ("pool_restart", "pool_grow", "pool_shrink", "autoscale", "time_limit", "rate_limit", "add_consumer")


def run_worker(settings: Settings, name: str, uri: str) -> None:
    """Serve one recorder until SIGTERM; a disc under way is finished first.

    Raises:
        RecorderBusy: another worker owns the device.
    """
    app = make_app(settings.broker_url, client_name=f"discmill-{name}", recorder=name)
    refuse_dangerous_commands()
    with Binding(settings, name, uri, app) as binding:
        register_tasks(app, binding.burn)
        app.worker_main(_arguments(name, settings.host))


def _arguments(name: str, host: str) -> list[str]:
    options = ["--without-mingle", "--without-gossip", "--loglevel=INFO"]
    return ["--quiet", "worker", "--pool=threads", "--concurrency=1", f"--hostname={name}@{host}", *options]


def refuse_dangerous_commands() -> None:
    """Replace the control commands that could cut a burn short by refusals."""
    plain_revoke = Panel.data["revoke"]

    def revoke(state: object, task_id: object, terminate: bool = False, **_: object) -> object:  # noqa: FBT001, FBT002
        if terminate:
            return {"error": "a burn is not terminated by message; use `discmill cancel`"}
        return plain_revoke(state, task_id)

    def refuse(_state: object, **_options: object) -> dict[str, str]:
        return {"error": "refused: one worker serves one recorder, one disc at a time"}

    Panel.data["revoke"] = revoke
    for command in _REFUSED:
        Panel.data[command] = refuse


def monitoring_app(settings: Settings) -> Celery:
    """Make the app that Flower looks through."""
    return make_app(settings.broker_url, client_name="discmill-flower")
