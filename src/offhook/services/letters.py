"""What mails say: a plain text of each kind in each language, whose first line is the subject.

Plain text alone: there is nothing to show that would need more, and names that strangers chose cannot become markup.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from offhook.domain.access import Role

TEMPLATES = Path(__file__).parent / "mail"
_environment = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
LONGEST_SUBJECT = 200
_SUBJECT = "Subject: "

ROLES: Mapping[str, Mapping[str, str]] = {
    "en": {
        Role.GLOBAL: "global administrator",
        Role.VOICE: "voice administrator",
        Role.BILLING: "billing administrator",
        Role.HELP_DESK: "help desk",
        Role.READER: "reader",
    },
    "fr": {
        Role.GLOBAL: "administrateur général",
        Role.VOICE: "administrateur de la téléphonie",
        Role.BILLING: "administrateur de la facturation",
        Role.HELP_DESK: "assistance",
        Role.READER: "lecteur",
    },
}


class Text(NamedTuple):
    """A mail without its envelope."""

    subject: str
    body: str


def written(kind: str, language: str, facts: Mapping[str, Any]) -> Text:
    """A mail of a kind, in a language of domain.mails.LANGUAGES. Facts are single lines of text; times in seconds since 1970.

    `at` and `expires_at` are told in the time zone `time_zone`, `role` and `former_role` in words.
    """
    told: dict[str, Any] = {name: one_line(value) if isinstance(value, str) else value for name, value in facts.items()}
    zone = ZoneInfo(told.get("time_zone") or "UTC")
    for name in ("at", "expires_at"):
        if told.get(name) is not None:
            moment = datetime.fromtimestamp(told[name], UTC)
            told[name] = one_line(format_datetime(moment, "long", tzinfo=zone, locale=language))
    for name in ("role", "former_role"):
        if told.get(name) is not None:
            told[name] = ROLES[language].get(told[name], told[name])
    subject, _, body = _environment.get_template(f"{kind}.{language}.txt").render(told).partition("\n")
    assert subject.startswith(_SUBJECT), f"the first line of {kind}.{language}.txt is its subject"
    return Text(one_line(subject.removeprefix(_SUBJECT))[:LONGEST_SUBJECT].rstrip(), body.strip() + "\n")


def one_line(text: str) -> str:
    """A text that others chose, without what could end a line or begin a header: what cannot be printed is a space."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
