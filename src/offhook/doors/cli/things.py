"""What can be done with every noun of the API, once for all of them: list, show, add, change, remove.

A change is sent for the version that was looked at, so that of two administrators none overwrites the other unseen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

import typer

from offhook.doors.cli import shown
from offhook.doors.cli.asking import must_agree, server_of, server_of_provider, waiting
from offhook.doors.cli.server import Exit, Failed, Server

_PAGE = 500
TAKEN_AWAY = "; an empty text takes it away"

Limit = Annotated[int | None, typer.Option(min=1, help="How many at most; all if left out.")]
Sort = Annotated[str | None, typer.Option(help="Fields with commas between, - before one for falling order: name,-username.")]
Search = Annotated[str | None, typer.Option("--search", "-q", help="A text that must stand in one of the texts.")]

_SECRETS = frozenset({"password", "old_password", "token", "secret"})
_ANSWERS = frozenset({"in_effect", "revision"})


@dataclass(frozen=True, slots=True)
class Noun:
    """One noun of the API: where it stands, the member of a list's answer, what one is called, what a list shows, what names one.

    There is only one of it when nothing names it. Of the fields `texts` nothing is an empty text, of all others null. `title` is the
    field that people call it by, where that is not what names it. What is the `provider`'s is asked with its token.
    """

    path: str
    many: str
    one: str
    columns: tuple[str, ...]
    key: str
    texts: frozenset[str] = frozenset()
    title: str = ""
    provider: bool = False

    def server(self, context: typer.Context) -> Server:
        """The system, asked as whose they are."""
        return server_of_provider(context) if self.provider else server_of(context)

    def at(self, key: object) -> str:
        """Where one of them stands. Raises Failed for what would lead elsewhere."""
        if not self.key:
            return self.path
        text = str(key)
        if text.strip(".") == "" or "/" in text:
            raise Failed(f"There is no {self.one} {text}; `offhook {self.many}` lists them.", Exit.NOT_THERE)
        return f"{self.path}/{quote(text, safe='')}"

    def called(self, key: object, one: Mapping[str, Any] | None = None) -> str:
        """How one of them is called in a sentence; `one` is what is known of it."""
        return f"the {self.one} {(one or {}).get(self.title, key)}" if self.key else f"the {self.one}"

    def alone(self, answer: Any) -> dict[str, Any]:
        """One of them out of an answer that may tell more."""
        inner = answer.get(self.one, answer)
        return dict(inner) if isinstance(inner, dict) else dict(answer)


@dataclass(frozen=True, slots=True)
class How:
    """How a command shall go about it."""

    as_json: bool = False
    dry_run: bool = False
    yes: bool = False
    version: str | None = None


def every(server: Server, path: str, many: str, most: int | None = None, **asked: Any) -> dict[str, Any]:
    """A list of the API, page by page, up to `most`; `next` leads on if there is more. Raises Failed."""
    found: list[dict[str, Any]] = []
    limit, cursor = (None if most is None else min(most, _PAGE)), None
    while True:
        answer = server.get(path, limit=limit, cursor=cursor, **asked)
        found += answer[many]
        cursor = answer.get("next")
        if cursor is None or (most is not None and len(found) >= most):
            return {**answer, many: found}
        limit = _PAGE if most is None else min(most - len(found), _PAGE)


def listed(context: typer.Context, noun: Noun, how: How, most: int | None = None, **asked: Any) -> None:
    """Print a table of them."""
    server = noun.server(context)
    with waiting(f"Reading {noun.many}"):
        answer = every(server, noun.path, noun.many, most, **asked)
    if how.as_json:
        shown.print_json(answer)
    elif answer[noun.many]:
        shown.print_table([column.replace("_", " ") for column in noun.columns], [_row(noun, one) for one in answer[noun.many]])
    else:
        shown.console().print(f"No {noun.many.replace('_', ' ')}.")


def _row(noun: Noun, one: Mapping[str, Any]) -> list[str]:
    return [shown.member(column, one.get(column)) if one.get(column) not in (None, "", [], {}) else "" for column in noun.columns]


def looked_at(server: Server, noun: Noun, key: object) -> tuple[dict[str, Any], str | None]:
    """One of them and its version. Raises Failed."""
    answer, etag = server.look(noun.at(key))
    return noun.alone(answer), etag


def show(context: typer.Context, noun: Noun, key: object, how: How) -> None:
    """Print one of them, with the version that a change can name."""
    one, etag = looked_at(noun.server(context), noun, key)
    if "version" not in one and etag:
        one["version"] = etag.strip('"')
    if how.as_json:
        shown.print_json(one)
    else:
        shown.print_report(one)


def tell(one: Mapping[str, Any]) -> None:
    """Print what one of them is, a line a value."""
    shown.print_report({name: value for name, value in one.items() if name not in _ANSWERS})


def add(context: typer.Context, noun: Noun, body: Mapping[str, Any], how: How, path: str | None = None, words: str = "") -> Any:
    """Make one of them out of what is given (None: not given); the answer, None if it was only to be told."""
    sent = {name: value for name, value in body.items() if value is not None}
    server = noun.server(context)
    called = noun.key if noun.key in sent else "name"
    said = words or f"add the {noun.one} {sent.get(called, '')}".rstrip() + f" ({_listing(sent, without=called)})"
    if how.dry_run:
        only_told(server, said, "POST", path or noun.path, sent, how)
        return None
    return server.post(path or noun.path, sent)


def change(context: typer.Context, noun: Noun, key: object, body: Mapping[str, Any], how: How) -> None:
    """Give one of them other values (None: as it is, an empty text: none), and print what became what."""
    server = noun.server(context)
    one, etag = looked_at(server, noun, key)
    wanted = {name: value if value != "" or name in noun.texts else None for name, value in body.items() if value is not None}
    called = noun.called(key, one)
    if not wanted:
        raise Failed("Say what to change; --help tells what can be.", Exit.WRONG_COMMAND)
    differing = {name: value for name, value in wanted.items() if _plain(one.get(name)) != _plain(value)}
    told = "; ".join(f"{name.replace('_', ' ')} {_word(one.get(name))} -> {_word(value)}" for name, value in differing.items())
    if how.dry_run:
        words = f"change {called}: {told}" if differing else f"change nothing of {called}"
        only_told(server, words, "PATCH", noun.at(key), differing, how)
    elif not differing and how.version is None:
        if how.as_json:
            shown.print_json(one)
        else:
            shown.console().print(shown.clean(f"Nothing to change: {called} is so already."), soft_wrap=True)
    else:
        finish(
            server.patch(noun.at(key), wanted, _tag(how.version) or etag),
            f"Changed {called}: {told or 'as it was'}",
            how,
            provider=noun.provider,
        )


def remove(
    context: typer.Context,
    noun: Noun,
    key: object,
    losses: Sequence[str],
    how: How,
    etag: str | None = None,
    one: Mapping[str, Any] | None = None,
    query: str = "",
) -> None:
    """Remove one of them, once that is agreed to; `losses` says in words what else goes with it, `one` what is known of it.

    `query` is what else the request says.
    """
    server = noun.server(context)
    called = noun.called(key, one)
    said = f"remove {called}"
    if how.dry_run:
        only_told(server, said + _lost(losses), "DELETE", noun.at(key) + query, None, how)
        return
    must_agree(said, losses, yes=how.yes)
    finish(server.delete(noun.at(key) + query, _tag(how.version) or etag), f"Removed {called}.", how, provider=noun.provider)


def ordered(server: Server, path: str, said: str, losses: Sequence[str], how: How) -> Any:
    """The answer to an order, once that is agreed to if something is lost by it; None if it was only to be told."""
    if how.dry_run:
        only_told(server, said + _lost(losses), "POST", path, None, how)
        return None
    if losses:
        must_agree(said, losses, yes=how.yes)
    return server.post(path)


def _lost(losses: Sequence[str]) -> str:
    return f"; lost would be: {'; '.join(losses)}" if losses else ""


def finish(answer: Any, words: str, how: How, *, provider: bool = False) -> None:
    """Tell that it was done, and whether it counts already."""
    if how.as_json:
        shown.print_json(answer if answer is not None else {})
        return
    shown.console().print(shown.clean(words), soft_wrap=True)
    note_effect(answer, provider=provider)


def note_effect(answer: Any, *, provider: bool = False) -> None:
    """Say beside the answer that the switch has not taken it up yet, if so; an organization can wait for that, the `provider` cannot."""
    if isinstance(answer, dict) and answer.get("in_effect") is False:
        waits = "" if provider else ": `offhook organization show --wait`"
        shown.note(f"The switch does not answer now; this counts as soon as it is up again{waits}.")


def only_told(server: Server, words: str, method: str, path: str, body: Mapping[str, Any] | None, how: How) -> None:
    """Print what would be done, and of which system."""
    if how.as_json:
        kept = None if body is None else {name: "..." if name in _SECRETS else value for name, value in body.items()}
        shown.print_json({"would": words, "method": method, "path": path, "body": kept, "url": server.url})
    else:
        shown.console().print(shown.clean(f"Would {words}."), soft_wrap=True)
        shown.note(f"Nothing was done at {server.url}.")


def _tag(version: str | None) -> str | None:
    return None if version is None else '"' + version.strip('"') + '"'


def _listing(values: Mapping[str, Any], without: str) -> str:
    told = ("..." if name in _SECRETS else _word(value) for name, value in values.items() if name != without)
    names = (name.replace("_", " ") for name in values if name != without)
    return ", ".join(f"{name} {value}" for name, value in zip(names, told, strict=True)) or "as it comes"


def _plain(value: Any) -> Any:
    return None if value == "" else value


def _word(value: Any) -> str:
    return "none" if value in (None, "", [], {}) else shown.told(value)
