"""The running Offhook, as the command line reaches it, and what went wrong when it does not do as asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import httpx

_DEFAULT_SECONDS = 15.0
_CONNECT_SECONDS = 5.0
_API = "/api/v1"


class Exit(IntEnum):
    """What the program's exit code says."""

    DONE = 0
    NOT_ALL_WELL = 1
    """It was done, and something it tried did not work (a self-test that failed)."""
    DIFFERS = 2
    """As programs have it that compare; nothing else may end with it, or a script would take a mistake for a difference."""
    NOT_REACHED = 3
    NOT_ALLOWED = 4
    NOT_THERE = 5
    REFUSED = 6
    SYSTEM_FAILED = 7
    WRONG_COMMAND = 64
    """EX_USAGE of sysexits.h."""


EXIT_WORDS = {
    Exit.DONE: "done",
    Exit.NOT_ALL_WELL: "done, and something that was tried did not work",
    Exit.DIFFERS: "of `plan`: something differs; of `doctor`: something must be seen to",
    Exit.NOT_REACHED: "no running Offhook was reached",
    Exit.NOT_ALLOWED: "the token is missing, is not good, or may not do this",
    Exit.NOT_THERE: "what was asked for is not there",
    Exit.REFUSED: "refused; the message says why",
    Exit.SYSTEM_FAILED: "a part of the system does not answer, or made a mistake",
    Exit.WRONG_COMMAND: "the command line, or a file it names, cannot be understood",
}

_SENT = (httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
"""Faults after which what was sent may have been done."""

_ONLY_LOOK = frozenset({"/configuration/plan", "/route", "/replay"})
"""What is posted and changes nothing."""

_BY_STATUS = {401: Exit.NOT_ALLOWED, 403: Exit.NOT_ALLOWED, 404: Exit.NOT_THERE}


NEXT: dict[int | str, str] = {
    401: "`offhook sign-in USERNAME@DOMAIN` gets one.",
    "sign_in.wrong": "Username and domain are written anna@lumen.test; an administrator gives a new password with `offhook users sign-in`.",
    "access.no_organization": "Give --token or --profile of an organization.",
    412: "Nothing was done.",
    503: "`offhook status` tells what is down.",
}
"""What to do after a refusal, by its code or by the status of its answer; where the refusal itself does not say."""


class Failed(Exception):
    """What was asked was not done: one sentence for people and an exit code; `problem` is the server's own answer, where it gave one."""

    def __init__(self, words: str, code: Exit, problem: dict[str, Any] | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.code = code
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Server:
    """A running Offhook. Every method raises Failed."""

    url: str
    token: str
    seconds: float = _DEFAULT_SECONDS
    """How long to wait for an answer, where nothing else is said."""

    def get(self, path: str, **query: Any) -> Any:
        """What stands at a path of the API."""
        return self._ask("GET", path, params=_given(query))

    def post(self, path: str, body: Any = None, seconds: float | None = None) -> Any:
        """The answer to something sent to a path of the API; `seconds` is how long to wait for it."""
        return self._ask("POST", path, json=body, timeout=seconds)

    def look(self, path: str) -> tuple[Any, str | None]:
        """What stands at a path of the API, and its ETag."""
        answer = self._answer("GET", path)
        return _read(answer, self.url), answer.headers.get("ETag")

    def patch(self, path: str, body: Any, version: str | None = None) -> Any:
        """The answer to a change of what stands at a path; with `version` (an ETag) only if it is still that one."""
        return self._ask("PATCH", path, json=body, headers=_if_match(version))

    def put(self, path: str, body: Any) -> Any:
        """The answer to something put at a path of the API."""
        return self._ask("PUT", path, json=body)

    def send(self, path: str, content: str | bytes, kind: str, seconds: float | None = None, **query: Any) -> Any:
        """The answer to a file of a media type, sent to a path of the API."""
        return self._ask("POST", path, content=content, headers={"Content-Type": kind}, timeout=seconds, params=_given(query))

    def file(self, path: str, body: Any, seconds: float | None = None) -> tuple[str, httpx.Headers]:
        """The file that answers something sent to a path of the API, and what its headers tell."""
        answer = self._answer("POST", path, json=body, timeout=seconds)
        if not answer.is_success:
            _read(answer, self.url)
        return answer.text, answer.headers

    def text(self, path: str, seconds: float | None = None, **query: Any) -> str:
        """What stands at a path of the API, as the text it is."""
        answer = self._answer("GET", path, timeout=seconds, params=_given(query))
        if not answer.is_success:
            _read(answer, self.url)
        return answer.text

    def delete(self, path: str, version: str | None = None) -> Any:
        """The answer to having removed what stands at a path; with `version` (an ETag) only if it is still that one."""
        return self._ask("DELETE", path, headers=_if_match(version))

    @contextmanager
    def lines(self, path: str, kind: str, **query: Any) -> Iterator[Iterator[str]]:
        """The lines of an answer of this media type that does not end by itself, as they come."""
        with self._reached(), self._client(httpx.Timeout(_CONNECT_SECONDS, read=None)) as client:
            asked = client.stream("GET", self._address(path), headers=self._credentials() | {"Accept": kind}, params=_given(query))
            with asked as answer:
                if not answer.is_success:
                    answer.read()
                    _read(answer, self.url)
                yield answer.iter_lines()

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        return _read(self._answer(method, path, **more), self.url)

    def _answer(
        self, method: str, path: str, timeout: float | None = None, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        seconds = timeout or self.seconds
        with (
            self._reached(writes=method != "GET" and path not in _ONLY_LOOK),
            self._client(httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))) as client,
        ):
            return client.request(method, self._address(path), headers=self._credentials() | (headers or {}), **more)

    def _address(self, path: str) -> str:
        return self.url.rstrip("/") + _API + path

    def _credentials(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def _client(self, timeout: httpx.Timeout) -> httpx.Client:
        # The environment's proxies are for the web; a phone system is asked directly. Reading all authorities takes a tenth of a second.
        return httpx.Client(trust_env=False, timeout=timeout, verify=not self.url.startswith("http://"))

    @contextmanager
    def _reached(self, *, writes: bool = False) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as fault:
            if writes and isinstance(fault, _SENT):
                words = f"The answer of {self.url} was lost. Whether it was done is not known: look before you send it again."
            elif isinstance(fault, httpx.TimeoutException):
                words = f"{self.url} did not answer in time."
            else:
                words = f"Nothing answers at {self.url} ({fault}). Is Offhook running? ./run starts it."
            raise Failed(words, Exit.NOT_REACHED) from None


def _if_match(version: str | None) -> dict[str, str]:
    return {"If-Match": version} if version else {}


def _given(query: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _read(answer: httpx.Response, url: str) -> Any:
    if answer.status_code == 204:
        return None
    try:
        body = answer.json()
    except ValueError:
        raise Failed(f"What answers at {url} is not Offhook (HTTP {answer.status_code}).", Exit.NOT_REACHED) from None
    if answer.is_success:
        return body
    code = _BY_STATUS.get(answer.status_code, Exit.SYSTEM_FAILED if answer.status_code >= 500 else Exit.REFUSED)
    problem = body if isinstance(body, dict) else {}
    told = str(problem.get("detail", f"HTTP {answer.status_code} from {url}"))
    hint = NEXT.get(str(problem.get("code")), NEXT.get(answer.status_code))
    raise Failed(f"{told} {hint}" if hint else told, code, problem)
