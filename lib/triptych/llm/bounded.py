"""An HTTP client that ends every request in time and counts what was sent in vain. Imported at the first question."""

from __future__ import annotations

import ssl
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from functools import cache
from typing import Any

import httpx
import openai

CONNECTING = 20.0  # seconds at most for a connection: a host that is not there is told apart from one that is slow
# Raised before a byte of the question was sent. (Our own deadline cannot come first: connecting has half of it.)
_NOT_SENT = (
    httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)  # fmt: skip


class BoundedClient(openai.DefaultHttpxClient):
    """A client for one question, tried as often as the openai library likes.

    Each attempt takes `seconds` in all, sending, thinking and every byte of the reply: a server that drips is never
    silent. `lost` counts the attempts that were sent and brought nothing, or a status of 500 and above: whether they
    are charged for only the server's owner knows. A refusal (4xx) is charged for by nobody.
    """

    def __init__(self, seconds: float) -> None:
        limits = httpx.Timeout(seconds, connect=min(seconds / 2, CONNECTING))
        super().__init__(verify=_certificates(), timeout=limits)
        self.seconds, self.limits, self.lost = seconds, limits, 0

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """As `httpx.Client.send`; the body is read. Raises httpx.ReadTimeout at the deadline."""
        # httpx has limits for each read only. The thread of an attempt that was given up ends at its next byte, once
        # this client is closed.
        found: Future[httpx.Response] = Future()
        whole: dict[str, Any] = {**options, "stream": False}
        send = super().send

        def work() -> None:
            try:
                found.set_result(send(request, **whole))
            except BaseException as error:
                found.set_exception(error)

        threading.Thread(target=work, name="a question to a model", daemon=True).start()
        try:
            response = found.result(self.seconds)
        except TooLate:
            self.lost += 1
            raise httpx.ReadTimeout(f"no whole reply in {self.seconds:g} s", request=request) from None
        except _NOT_SENT:
            raise
        except httpx.HTTPError:
            self.lost += 1
            raise
        self.lost += response.status_code >= 500
        return response


@cache
def _certificates() -> ssl.SSLContext:
    """Read once: it takes longer than all else here."""
    return httpx.create_ssl_context()
