"""Mutations of SIP messages that know the grammar: what parsers, transactions, dialogs and descriptions are known to stumble over."""

from collections.abc import Callable
from pathlib import Path
from random import Random

_CORPUS = Path(__file__).with_name("corpus")
HEADERS = (_CORPUS / "spices.headers").read_text(encoding="utf-8").splitlines()
DESCRIPTIONS = (_CORPUS / "spices.sdp").read_text(encoding="utf-8").splitlines()
NUMBERS = (
    b"0",
    b"-1",
    b"1",
    b"4294967295",
    b"4294967296",
    b"2147483648",
    b"99999999999999999999",
    b"",
    b"0x10",
    b"1e9",
    b"\xc2\xb2",
    b"00000001",
)
JUNK = (
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\xff\xfe",
    "☎".encode(),
    b"%00",
    b'"',
    b"<",
    b">",
    b";",
    b",",
    b"\\",
    b"\x1b[2J",
    b"\t",
    b" " * 200,
)
HUGE = (500, 2000, 9000, 20000, 40000)


class Mutator:
    """Mutates; the same seed and messages give the same mutants."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._moves: tuple[tuple[Callable[[list[bytes]], None], int], ...] = (
            (self._double, 4), (self._drop, 4), (self._swap, 2), (self._fold, 2), (self._stretch, 2), (self._junk, 4), (self._number, 6),
            (self._add, 10), (self._name, 2), (self._start, 2), (self._cut, 2), (self._repeat_value, 2), (self._tags, 3),
        )  # fmt: skip

    def mutated(self, data: bytes, most: int = 3) -> bytes:
        """This message with up to so many things wrong."""
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        for _ in range(self._random.randint(0, most)):
            moves, weights = zip(*self._moves, strict=True)
            self._random.choices(moves, weights)[0](lines)
        if self._random.random() < 0.4:
            body = self._body(body)
            if self._random.random() < 0.9:
                lines = [line for line in lines if not line.lower().startswith((b"content-length", b"l:"))]
                lines.append(b"Content-Length: %d" % len(body))
        mutant = b"\r\n".join(lines) + b"\r\n\r\n" + body
        if self._random.random() < 0.03:
            mutant = mutant[: self._random.randrange(len(mutant))]
        if self._random.random() < 0.03:
            at = self._random.randrange(max(len(mutant), 1))
            mutant = mutant[:at] + self._random.randbytes(self._random.randint(1, 30)) + mutant[at:]
        return mutant[:65_000]

    def _at(self, lines: list[bytes]) -> int:
        return self._random.randrange(1, len(lines)) if len(lines) > 1 else 0

    def _double(self, lines: list[bytes]) -> None:
        lines.insert(self._at(lines), lines[self._at(lines)])

    def _drop(self, lines: list[bytes]) -> None:
        if len(lines) > 2:
            del lines[self._at(lines)]

    def _swap(self, lines: list[bytes]) -> None:
        one, two = self._at(lines), self._at(lines)
        lines[one], lines[two] = lines[two], lines[one]

    def _fold(self, lines: list[bytes]) -> None:
        at = self._at(lines)
        lines[at] = lines[at].replace(b" ", b"\r\n\t ", self._random.randint(1, 3))

    def _stretch(self, lines: list[bytes]) -> None:
        at, size = self._at(lines), self._random.choices(HUGE, (10, 6, 3, 1, 1))[0]
        lines[at] += self._random.choice((b"x", b";x=y", b",", b" ", b"\xff", b'"', b"(")) * (size // 3)

    def _junk(self, lines: list[bytes]) -> None:
        at = self._at(lines)
        where = self._random.randrange(len(lines[at]) + 1)
        lines[at] = lines[at][:where] + self._random.choice(JUNK) + lines[at][where:]

    def _number(self, lines: list[bytes]) -> None:
        """Another number where one stands: CSeq, Content-Length, ports, Max-Forwards."""
        at = self._at(lines)
        name, colon, value = lines[at].partition(b":")
        words = value.split(b" ")
        numbers = [index for index, word in enumerate(words) if word.isdigit()]
        if numbers:
            words[self._random.choice(numbers)] = self._random.choice(NUMBERS)
            lines[at] = name + colon + b" ".join(words)

    def _add(self, lines: list[bytes]) -> None:
        for _ in range(self._random.randint(1, 3)):
            lines.insert(self._at(lines), self._random.choice(HEADERS).encode())

    def _name(self, lines: list[bytes]) -> None:
        at = self._at(lines)
        name, colon, value = lines[at].partition(b":")
        lines[at] = (
            self._random.choice((name.upper(), name.lower(), name + b" ", b"X-" + name, name[:1], b"", name + b"\0")) + colon + value
        )

    def _start(self, lines: list[bytes]) -> None:
        words = lines[0].split(b" ")
        at = self._random.randrange(len(words))
        words[at] = self._random.choice(
            (b"", b"*", b"sip:", b"tel:+1", b"SIP/3.0", b"sips:101@lumen.test", b"sip:%00@lumen.test", b"999", words[at] * 2)
        )
        lines[0] = b" ".join(words)

    def _cut(self, lines: list[bytes]) -> None:
        at = self._at(lines)
        lines[at] = lines[at][: self._random.randrange(len(lines[at]) + 1)]

    def _repeat_value(self, lines: list[bytes]) -> None:
        at = self._at(lines)
        name, colon, value = lines[at].partition(b":")
        lines[at] = name + colon + b",".join([value] * self._random.randint(2, 60))

    def _tags(self, lines: list[bytes]) -> None:
        """Tags swapped between From and To, gone, or another's."""
        for at, line in enumerate(lines):
            if line.startswith((b"From:", b"To:")) and self._random.random() < 0.7:
                value, _, tag = line.partition(b";tag=")
                lines[at] = value + self._random.choice((b"", b";tag=", b";tag=other", b";tag=" + tag + b";tag=two", b";TAG=" + tag[::-1]))

    def _body(self, body: bytes) -> bytes:
        lines = body.split(b"\r\n")
        for _ in range(self._random.randint(1, 4)):
            at, kind = self._random.randrange(len(lines)), self._random.random()
            if kind < 0.6:
                lines.insert(at, self._random.choice(DESCRIPTIONS).encode())
            elif kind < 0.75:
                lines[at] = self._random.choice(DESCRIPTIONS).encode()
            elif kind < 0.9:
                del lines[at : at + self._random.randint(1, 3)]
                lines = lines or [b""]
            elif kind < 0.97:
                where = self._random.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:where] + self._random.choice((*JUNK, *NUMBERS)) + lines[at][where:]
            else:
                lines += [b"a=x-%d:%b" % (number, b"y" * 20) for number in range(self._random.choice((50, 500, 1900)))]
        return b"\r\n".join(lines)
