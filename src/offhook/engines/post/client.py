"""Posts to addresses that others chose: a name is resolved once, what it leads to is looked at, and exactly that is connected to."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Collection, Mapping

import httpx

from offhook.engines.post.guard import is_here, is_public, meant_by
from offhook.services.ports.posting import Outcome

TIMEOUT_SECONDS = 10.0
"""For one step of the network; a whole attempt gets LONGEST_SECONDS."""
LONGEST_SECONDS = 20.0
MOST_READ = 4096
"""Octets of an answer; more is nothing we need."""


class Refused(httpx.ConnectError):
    """The address is none that we connect to."""


class Poster:
    """services.ports.posting.Post.

    `to_private`: this machine, and addresses that are not of the public network, may be posted to as well. `own`: addresses that are ours,
    besides those that this machine has itself.
    """

    def __init__(self, *, to_private: bool, own: Collection[str] = ()) -> None:
        self._to_private = to_private
        self._own = frozenset(map(meant_by, own))
        self._trusted = ssl.create_default_context()

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                return await self._post(url, headers, body)
        except TimeoutError:
            return Outcome(None, f"no whole answer within {LONGEST_SECONDS:.0f} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as why:
            return Outcome(None, f"{type(why).__name__}: {why}"[:300])

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        # A connection for each: one that is kept is kept by its address, and could serve another name than it was verified for.
        limits = httpx.Limits(max_keepalive_connections=0)
        inner = httpx.AsyncHTTPTransport(verify=self._trusted, trust_env=False, limits=limits)
        transport = _Checked(inner, self._may_be_told)
        async with (
            httpx.AsyncClient(transport=transport, trust_env=False, follow_redirects=False, timeout=TIMEOUT_SECONDS) as client,
            client.stream("POST", url, headers=dict(headers), content=body) as answer,
        ):
            said = await _beginning(answer)
            if answer.is_redirect:
                return Outcome(answer.status_code, "it answered with a redirection, which is not followed; give its target as the url")
            return Outcome(answer.status_code, None if answer.is_success else f"it answered {answer.status_code}: {said}"[:300])

    def _may_be_told(self, address: str) -> bool:
        return self._to_private or (is_public(address) and meant_by(address) not in self._own and not is_here(address))


class _Checked(httpx.AsyncBaseTransport):
    """Connects to the address that a name leads to, once that was looked at; the name stays in Host and in TLS."""

    def __init__(self, inner: httpx.AsyncHTTPTransport, may_be_told: Callable[[str], bool]) -> None:
        self._inner = inner
        self._may_be_told = may_be_told

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        name = request.url.host
        address = await self._address_of(name, request.url.port or (443 if request.url.scheme == "https" else 80))
        request.extensions = {**request.extensions, "sni_hostname": name}
        request.url = request.url.copy_with(host=address)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _address_of(self, name: str, port: int) -> str:
        found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        good = [address for address in addresses if self._may_be_told(address)]
        if not good:
            raise Refused(
                f"{name} is this machine, or not of the public network; the provider may allow that: OFFHOOK_WEBHOOKS_TO_PRIVATE=yes"
            )
        return good[0]


async def _beginning(answer: httpx.Response) -> str:
    read = b""
    async for some in answer.aiter_raw(MOST_READ):
        read += some
        if len(read) >= MOST_READ:
            break
    text = read[:MOST_READ].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in text)[:200]
