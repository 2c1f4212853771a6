"""The running Offhook, as the command line reaches it: where it is, and what went wrong when it does not do as asked."""

import json
import os
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import httpx

from offhook.plan import read_plan

_CLONE = Path(__file__).parents[4]
_DEFAULT_SECONDS = 15.0
_API = "/api/v1"


class Exit(IntEnum):
    """What the program's exit code says."""

    DONE = 0
    NOT_ALL_WELL = 1
    """It was done, and something it tried did not work (a self-test that failed)."""
    WRONG_COMMAND = 2
    NOT_REACHED = 3
    NOT_ALLOWED = 4
    NOT_THERE = 5
    REFUSED = 6
    SYSTEM_FAILED = 7


EXIT_WORDS = {
    Exit.DONE: "done",
    Exit.NOT_ALL_WELL: "done, and something that was tried did not work",
    Exit.WRONG_COMMAND: "the command line cannot be understood",
    Exit.NOT_REACHED: "no running Offhook was reached",
    Exit.NOT_ALLOWED: "the token is missing or not good",
    Exit.NOT_THERE: "what was asked for is not there",
    Exit.REFUSED: "refused; the message says why",
    Exit.SYSTEM_FAILED: "a part of the system does not answer, or made a mistake",
}

_BY_STATUS = {401: Exit.NOT_ALLOWED, 403: Exit.NOT_ALLOWED, 404: Exit.NOT_THERE}


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

    def get(self, path: str, **query: Any) -> Any:
        """What stands at a path of the API."""
        return self._ask("GET", path, params=_given(query))

    def post(self, path: str, body: Any = None, seconds: float = _DEFAULT_SECONDS) -> Any:
        """The answer to something sent to a path of the API; `seconds` is how long to wait for it."""
        return self._ask("POST", path, json=body, timeout=seconds)

    def patch(self, path: str, body: Any, version: str | None = None) -> Any:
        """The answer to a change of what stands at a path; with `version` (an ETag) only if it is still that one."""
        return self._ask("PATCH", path, json=body, headers={"If-Match": version} if version else {})

    def put(self, path: str, body: Any) -> Any:
        """The answer to something put at a path of the API."""
        return self._ask("PUT", path, json=body)

    def send(self, path: str, content: str | bytes, kind: str, seconds: float = _DEFAULT_SECONDS, **query: Any) -> Any:
        """The answer to a file of a media type, sent to a path of the API."""
        return self._ask("POST", path, content=content, headers={"Content-Type": kind}, timeout=seconds, params=_given(query))

    def text(self, path: str, seconds: float = _DEFAULT_SECONDS, **query: Any) -> str:
        """What stands at a path of the API, as the text it is."""
        answer = self._answer("GET", path, timeout=seconds, params=_given(query))
        if not answer.is_success:
            _read(answer, self.url)
        return answer.text

    def delete(self, path: str) -> Any:
        """The answer to having removed what stands at a path of the API."""
        return self._ask("DELETE", path)

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        return _read(self._answer(method, path, **more), self.url)

    def _answer(
        self, method: str, path: str, timeout: float = _DEFAULT_SECONDS, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        credentials = {"Authorization": f"Bearer {self.token}"}
        try:
            # The environment's proxies are for the web; a phone system is asked directly.
            with httpx.Client(trust_env=False, timeout=httpx.Timeout(timeout, connect=5.0)) as client:
                return client.request(method, self.url.rstrip("/") + _API + path, headers=credentials | (headers or {}), **more)
        except httpx.TimeoutException:
            raise Failed(f"{self.url} did not answer in time.", Exit.NOT_REACHED) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as fault:
            raise Failed(f"Nothing answers at {self.url} ({fault}). Is Offhook running? ./run starts it.", Exit.NOT_REACHED) from None


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
    raise Failed(str(problem.get("detail", f"HTTP {answer.status_code} from {url}")), code, problem)


def find_server(url: str | None, token: str | None, *, provider: bool = False) -> Server:
    """The Offhook that `url` and `token` name; what is missing comes from the data folder of the system running here. Raises Failed.

    That is the first organization's token of sandbox.json, or with `provider` the one that is good for all of them.
    """
    if url and token:
        return Server(url, token)
    if provider:
        return _as_provider(url, token)
    looked_at = [folder / "sandbox.json" for folder in _data_folders()]
    for path in looked_at:
        try:
            api = json.loads(path.read_text(encoding="utf-8"))["api"]
            return Server(url or api["url"], token or api["token"])
        except FileNotFoundError:
            continue
        except OSError as fault:
            raise Failed(f"{path} cannot be read ({fault.strerror}). Give --url and --token instead.", Exit.NOT_REACHED) from None
        except (ValueError, KeyError, TypeError):
            raise Failed(f"{path} is damaged; stop Offhook and start it again, or give --url and --token.", Exit.NOT_REACHED) from None
    if url:
        raise Failed("Give a token too: --token or OFFHOOK_TOKEN.", Exit.NOT_ALLOWED)
    places = " or ".join(str(path) for path in looked_at)
    raise Failed(
        f"Offhook is not running here: there is no {places}. ./run starts it; for another system give --url and --token.", Exit.NOT_REACHED
    )


def _as_provider(url: str | None, token: str | None) -> Server:
    for folder in _data_folders():
        try:
            return Server(url or read_plan(folder / "run" / "plan.json").api_url, token or (folder / "provider.token").read_text().strip())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as fault:
            raise Failed(f"The data folder {folder} cannot be read ({fault}). Give --url and --token instead.", Exit.NOT_REACHED) from None
    places = " or ".join(str(folder) for folder in _data_folders())
    raise Failed(
        f"No system was started in {places}. This needs the provider's token: set OFFHOOK_DATA_DIR, or give --url and --token.",
        Exit.NOT_ALLOWED,
    )


def _data_folders() -> list[Path]:
    if named := os.environ.get("OFFHOOK_DATA_DIR"):
        return [Path(named)]
    return list(dict.fromkeys([Path.cwd() / "var", _CLONE / "var"]))
