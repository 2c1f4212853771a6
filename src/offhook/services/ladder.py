"""The SIP messages of a call as a ladder in text: caller, Offhook and each called telephone a column, one arrow a message."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_GAP = 44
"""Characters between the caller's column and ours, and between ours and the first called one."""
_NEXT = 10
"""Characters between one called column and the next."""
_TIME = 11
_SECRET_HEADERS = re.compile(
    r"^(proxy-authorization|authorization|authentication-info)[ \t]*:.*(?:\r?\n[ \t].*)*", re.IGNORECASE | re.MULTILINE
)
_SECRET_KEYS = re.compile(r"^(a=(?:crypto|ice-pwd|key-mgmt):).*$|^(k=).*$", re.IGNORECASE | re.MULTILINE)
_CSEQ = re.compile(r"^cseq[ \t]*:[ \t]*\d+[ \t]+(\S+)", re.IGNORECASE | re.MULTILINE)


def without_secrets(text: str) -> str:
    """A SIP message without what proves an identity or opens the sound: digest answers (RFC 3261 22.4) and SRTP keys (RFC 4568)."""
    text = _SECRET_HEADERS.sub(lambda found: f"{found[1]}: (not shown)", text)
    return _SECRET_KEYS.sub(lambda found: f"{found[1] or found[2]}(not shown)", text)


def ladder(messages: Sequence[Mapping[str, Any]], legs: Sequence[str]) -> list[str]:
    """The lines of the ladder. `legs` are the leg ids, the caller's first; times are milliseconds since the first message.

    A message that came or went again unchanged says so: on a good network there is none (RFC 3261 17.1.1.2).
    """
    if not messages:
        return []
    columns = {leg: 0 if number == 0 else _GAP + _GAP + (number - 1) * _NEXT for number, leg in enumerate(legs)}
    width = max([_GAP, *columns.values()])
    return [*_heads(columns, width), *_rows(messages, columns, width)]


def _heads(columns: Mapping[str, int], width: int) -> Iterator[str]:
    line = [" "] * (width + 9)
    for place, head in [
        (0, "caller"),
        (_GAP, "offhook"),
        *((place, f"leg {number}") for number, place in enumerate(columns.values()) if number),
    ]:
        start = max(0, place - len(head) // 2)
        line[start : start + len(head)] = head
    yield " " * _TIME + "".join(line).rstrip()


def _rows(messages: Sequence[Mapping[str, Any]], columns: Mapping[str, int], width: int) -> Iterator[str]:
    began = messages[0]["at"]
    seen: set[tuple[str, str, str]] = set()
    for message in messages:
        same = (message["leg"], message["direction"], message.get("text") or message["summary"])
        again = same in seen
        seen.add(same)
        milliseconds = round((message["at"] - began) * 1000)
        label = ("(again) " if again else "") + _label(message)
        arrow = _arrow(columns.get(message["leg"]), message["direction"] == "in", label, columns, width)
        yield f"{milliseconds:>6} ms  {arrow}"


def _label(message: Mapping[str, Any]) -> str:
    text = message.get("text") or ""
    summary = str(message["summary"])
    if summary.startswith("SIP/2.0 "):
        method = _CSEQ.search(text)
        words = summary.removeprefix("SIP/2.0 ") + (f" ({method[1]})" if method else "")
    else:
        words = summary.removesuffix(" SIP/2.0").split(";")[0]
    # A message with a body of v= describes sound (RFC 4566 5.1): where it stands in the exchange is what one looks for first.
    described = re.search(r"\r?\n\r?\nv=0", text)
    return words + (" +SDP" if described else "")


def _arrow(place: int | None, inward: bool, label: str, columns: Mapping[str, int], width: int) -> str:
    line = [" "] * (width + 1)
    for column in (_GAP, *columns.values()):
        line[column] = "|"
    if place is None:
        return "".join(line) + f"  {label}"
    left, right = sorted((place, _GAP))
    rightward = inward == (place < _GAP)
    room = _GAP - 5
    shown = label if len(label) <= room - 2 else label[: room - 3] + "…"
    shaft = f"-- {shown} ".ljust(right - left - 1, "-")
    line[left + 1 : right] = f"{shaft[:-1]}>" if rightward else f"<{shaft[:-1]}"
    return "".join(line)
