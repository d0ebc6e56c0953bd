"""Flower's door: it shows every order, so it is open to this host alone, or locked."""

import http.client
from collections.abc import Iterator

from jobs.errors import NotAllowed
from jobs.settings import Settings
from workers.doctor.findings import Finding, failing, well, worrying
from workers.flower import refuse_open_flower

_USUAL_PORT, _PATIENCE = 5555, 5.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (told from an address to be asked)
_UNAUTHORISED = 401


def door_findings(settings: Settings) -> Iterator[Finding]:
    """Try Flower's door without a password."""
    try:
        refuse_open_flower(settings)
    except NotAllowed as error:
        yield failing("flower", error.message, "or let it listen on 127.0.0.1: DISCMILL_FLOWER_ADDRESS")
        return
    where = f"{settings.flower_address}:{settings.flower_port or _USUAL_PORT}"
    status = _knock(settings)
    locked = settings.flower_password is not None
    if status is None:
        yield well("flower", f"nobody answers at {where}; it would {'ask for its password' if locked else 'be local'}")
    elif locked and status != _UNAUTHORISED:
        remedy = "restart Flower, so that it learns of the password; see that nothing else answers there"
        yield worrying("flower", f"answers at {where} without asking for its password", remedy)
    else:
        yield well("flower", f"answers at {where}, {'and asks for its password' if locked else 'to this host alone'}")


def _knock(settings: Settings) -> int | None:
    address = _EVERYWHERE.get(settings.flower_address, settings.flower_address)
    connection = http.client.HTTPConnection(address, settings.flower_port or _USUAL_PORT, timeout=_PATIENCE)
    try:
        connection.request("GET", "/workers")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
