"""How often one client may ask what anybody may ask without a sign-in. Of each process."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from api.problems import problem_response
from archive_store.foundation.errors import ErrorCode, RegistrarError

WINDOW_SECONDS = 60.0
# Of so many clients what they asked is remembered; the one who began longest ago is forgotten first.
_MOST_CLIENTS = 10_000


@dataclass(slots=True)
class ClientLimit:
    """At most `limit` requests in each minute that begins with a client's first; 0 sets none.

    A client is an address, of IPv6 the network of 64 bits, which one household has whole.
    """

    limit: int
    clock: Callable[[], float] = time.monotonic
    _asked: OrderedDict[str, tuple[float, int]] = field(default_factory=OrderedDict)

    def seconds_to_wait(self, address: str) -> int:
        """0, and the request is counted; or the whole seconds after which the client may ask again."""
        now, client = self.clock(), _client_of(address)
        begun, count = self._asked.get(client, (now, 0))
        if now - begun >= WINDOW_SECONDS:
            begun, count = now, 0
        if self.limit and count >= self.limit:
            return max(1, int(begun + WINDOW_SECONDS - now + 0.999))
        self._asked[client] = (begun, count + 1)
        if count == 0:
            self._asked.move_to_end(client)
        while len(self._asked) > _MOST_CLIENTS:
            self._asked.popitem(last=False)
        return 0


def refused_for_now(request: Request) -> Response | None:
    """The answer 429 to a client who has asked too often for public checks; None where they may ask."""
    limit: ClientLimit = request.app.state.public_checks
    wait = limit.seconds_to_wait(request.client.host if request.client else "")
    if not wait:
        return None
    told = RegistrarError(ErrorCode.TOO_OFTEN, limit=limit.limit, per_zh="分钟", per_en="a minute")
    return problem_response(told, {"Retry-After": str(wait), "Cache-Control": "no-store"})


def _client_of(address: str) -> str:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is not None:
            return str(known.ipv4_mapped)
        return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)
