"""Digest authentication, the client's side: RFC 7616 (MD5, SHA-256, qop=auth) and RFC 2617 (no qop)."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import md5, sha256

from sipmessage import Response


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()


HASHES: dict[str, Callable[[str], str]] = {"MD5": _md5, "SHA-256": _sha256}


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge we can answer. header is the name of the header that answers it."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    opaque: str | None = None
    qop: bool = False
    stale: bool = False
    header: str = "Authorization"


def ha1(username: str, realm: str, password: str, algorithm: str = "MD5") -> str:
    """H(username:realm:password) in lower-case hex (RFC 7616 3.4.2)."""
    return HASHES[algorithm](f"{username}:{realm}:{password}")


def challenge_in(response: Response) -> Challenge | None:
    """The best challenge of a 401 or 407 that we can answer (SHA-256 before MD5), or None where there is none."""
    name, answer = ("Proxy-Authenticate", "Proxy-Authorization") if response.code == 407 else ("WWW-Authenticate", "Authorization")
    found = [c for value in response.headers.getlist(name) if (c := read_challenge(value, answer))]
    return max(found, key=lambda c: c.algorithm == "SHA-256", default=None)


def read_challenge(value: str, header: str = "Authorization") -> Challenge | None:
    """A challenge from a header's value; None for another scheme, an algorithm we lack, or qop=auth-int alone."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return None
    fields = _fields(rest)
    algorithm = fields.get("algorithm", "MD5").upper()
    qops = {word.strip().lower() for word in fields.get("qop", "").split(",") if word.strip()}
    if algorithm not in HASHES or "nonce" not in fields or "realm" not in fields or (qops and "auth" not in qops):
        return None
    stale = fields.get("stale", "").lower() == "true"
    return Challenge(fields["realm"], fields["nonce"], algorithm, fields.get("opaque"), "auth" in qops, stale, header)


def credentials(
    challenge: Challenge, *, method: str, uri: str, username: str, hashed: str, cnonce: str = "", count: int = 1
) -> tuple[str, str]:
    """The header (name, value) that answers a challenge; hashed is ha1() of the challenge's realm and algorithm.

    cnonce must be fresh and count the number of times this nonce was used, from 1 (RFC 7616 3.4).
    """
    digest = HASHES[challenge.algorithm]
    ha2 = digest(f"{method}:{uri}")
    fields = [
        f"username={_quoted(username)}",
        f"realm={_quoted(challenge.realm)}",
        f"nonce={_quoted(challenge.nonce)}",
        f"uri={_quoted(uri)}",
        f"algorithm={challenge.algorithm}",
    ]
    if challenge.qop:
        proof = digest(f"{hashed}:{challenge.nonce}:{count:08x}:{cnonce}:auth:{ha2}")
        fields += ["qop=auth", f"nc={count:08x}", f"cnonce={_quoted(cnonce)}"]
    else:
        proof = digest(f"{hashed}:{challenge.nonce}:{ha2}")
    fields.append(f'response="{proof}"')
    if challenge.opaque is not None:
        fields.append(f"opaque={_quoted(challenge.opaque)}")
    return challenge.header, "Digest " + ", ".join(fields)


def _fields(text: str) -> dict[str, str]:
    """name=token and name="quoted string" pairs, names in lower case; what is neither is passed over."""
    fields: dict[str, str] = {}
    rest = text
    while "=" in rest:
        name, _, rest = rest.partition("=")
        rest = rest.lstrip()
        value, rest = _quoted_string(rest[1:]) if rest.startswith('"') else _token(rest)
        fields.setdefault(name.strip(" \t,").lower(), value)
    return fields


def _token(text: str) -> tuple[str, str]:
    value, _, rest = text.partition(",")
    return value.strip(), rest


def _quoted_string(text: str) -> tuple[str, str]:
    value: list[str] = []
    letters = iter(enumerate(text))
    for index, letter in letters:
        if letter == '"':
            return "".join(value), text[index + 1 :]
        if letter == "\\":
            _, letter = next(letters, (0, ""))
        value.append(letter)
    return "".join(value), ""


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
