"""The Celery worker of one recorder, and what Flower may not do to it."""

from celery import Celery
from celery.signals import worker_shutting_down
from celery.worker.control import Panel

from jobs import schema
from jobs.dispatch import make_app
from jobs.settings import Settings
from workers.binding import Binding
from workers.gate import guard_connections
from workers.tasks import register_tasks

#: What a worker answers to whoever reaches the broker: questions, which is what Flower asks. Everything else, what a
#: later Celery may bring included, is refused: a shutdown or a cancelled consumer keeps discs from being made, a
#: revoked id makes the worker deaf to its attempt for good, an object graph writes files.
_ANSWERED = frozenset(
    {
        *("ping", "hello", "clock", "heartbeat", "enable_events", "stats", "conf", "query_task"),
        *("active", "active_queues", "registered", "reserved", "scheduled", "revoked"),
        *("dump_active", "dump_conf", "dump_reserved", "dump_revoked", "dump_schedule", "dump_tasks"),
    }
)


def run_worker(settings: Settings, name: str, uri: str) -> None:
    """Serve one recorder until SIGTERM; a disc under way is finished first.

    Raises:
        RecorderBusy: another worker owns the device.
        SchemaDiffers: the database's tables are those of another version.
    """
    schema.check(settings.database_url)
    guard_connections()
    app = make_app(settings.broker_url, client_name=f"discmill-{name}", recorder=name)
    app.conf.worker_consumer = "workers.doorkeeper:Doorkeeper"
    answer_questions_only()
    with Binding(settings, name, uri, app) as binding:
        register_tasks(app, binding.burn)

        def wind_down(**_: object) -> None:
            binding.wind_down()

        worker_shutting_down.connect(wind_down)  # Celery waits for its task alone, and knows nothing of the caretaker
        app.worker_main(_arguments(name, settings.host))


def _arguments(name: str, host: str) -> list[str]:
    options = ["--without-mingle", "--without-gossip", "--loglevel=INFO"]
    return ["--quiet", "worker", "--pool=threads", "--concurrency=1", f"--hostname={name}@{host}", *options]


def answer_questions_only() -> None:
    """Replace every control command that changes something by a refusal."""
    for command in Panel.data.keys() - _ANSWERED:
        Panel.data[command] = _refuse


def _refuse(_state: object, *_arguments: object, **_options: object) -> dict[str, str]:
    return {"error": "refused: orders are changed with `discmill cancel`, a worker is stopped by SIGTERM on its host"}


def monitoring_app(settings: Settings) -> Celery:
    """Make the app that Flower looks through."""
    return make_app(settings.broker_url, client_name="discmill-flower")
