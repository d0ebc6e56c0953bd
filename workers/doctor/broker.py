"""The broker: whether it answers, is new enough, and never throws messages away."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from jobs.dispatch import make_app
from jobs.settings import Settings
from workers.doctor.findings import Finding, failing, well, worrying
from workers.embedded import OLDEST_VERSION

_KEEPS = "noeviction"


def broker_findings(settings: Settings) -> Iterator[Finding]:
    """Ask the broker what it is."""
    if quote(str(settings.redis_socket)) in settings.broker_url and not settings.redis_socket.exists():
        yield worrying("broker", "the embedded Redis does not run", "start the rig: `discmill up`")
        return
    try:
        told = _ask(settings.broker_url)
    except (OperationalError, RedisError, OSError) as error:
        remedy = "orders are kept, and start late: start Redis, see to DISCMILL_BROKER_URL (`discmill config`)"
        yield failing("broker", f"{settings.broker_url}: {error}", remedy)
        return
    yield grade_version(settings.broker_url, told)
    yield grade_eviction(told)


def _ask(url: str) -> Mapping[str, Any]:
    app = make_app(url)
    try:
        with app.connection_for_read() as connection:
            channel: Any = connection.default_channel
            return dict(channel.client.info())
    finally:
        app.close()


def grade_version(url: str, told: Mapping[str, Any]) -> Finding:
    """Judge the server's version."""
    engine, version = ("Valkey", told["valkey_version"]) if "valkey_version" in told else ("Redis", None)
    version = str(version or told.get("redis_version", "0"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    seen = f"{url}, {engine} {version}"
    if numbers < OLDEST_VERSION:
        return failing("broker", seen, f"install {'.'.join(map(str, OLDEST_VERSION))} or later")
    return well("broker", seen)


def grade_eviction(told: Mapping[str, Any]) -> Finding:
    """Judge what the server does when its memory is full."""
    policy, most = str(told.get("maxmemory_policy", "unknown")), int(told.get("maxmemory", 0))
    if policy in {_KEEPS, "unknown"}:
        return well("broker memory", f"maxmemory-policy {policy}")
    when = f"at {most:,} bytes" if most else "once a maxmemory is set"
    seen = f"maxmemory-policy {policy}: {when} messages vanish, and discs start late"
    return worrying("broker memory", seen, f"CONFIG SET maxmemory-policy {_KEEPS}, and in the server's configuration")
