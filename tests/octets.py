"""Damaged copies of good messages, the same for the same seed."""

from collections.abc import Iterator, Sequence
from random import Random

_INTERESTING = (
    b"\x00",
    b"\xff",
    b"\x80",
    b" ",
    b"\r\n",
    b":",
    b"e",
    b"i-",
    b"d",
    b"l",
    b"{",
    b'"',
    b"9" * 30,
    b"\xc3\x28",
    b"\xed\xb3\xa9",
)
_MOST = 70_000


def mutants(good: Sequence[bytes], seed: int, count: int) -> Iterator[bytes]:
    """So many messages, each made of good ones by one to six changes; none longer than a datagram can be."""
    random = Random(seed)
    for _ in range(count):
        data = bytearray(random.choice(good))
        for _ in range(random.randint(1, 6)):
            _change(data, good, random)
        yield bytes(data[:_MOST])


def _change(data: bytearray, good: Sequence[bytes], random: Random) -> None:
    at = random.randint(0, len(data))
    end = min(len(data), at + random.choice((1, 1, 2, 4, 8, 40)))
    match random.randrange(8):
        case 0 if data:
            data[at % len(data)] ^= 1 << random.randrange(8)
        case 1:
            del data[at:end]
        case 2:
            data[at:at] = data[at:end] * random.choice((1, 2, 50))
        case 3:
            data[at:end] = random.choice(_INTERESTING)
        case 4:
            data[at:at] = random.randbytes(random.randint(1, 8))
        case 5:
            del data[at:]
        case 6:
            other = random.choice(good)
            data[at:end] = other[random.randint(0, len(other)) :][: random.randint(1, 60)]
        case _:
            data[at:at] = str(random.choice((-1, 0, 2**31, 2**32, 2**63, 2**64, 10**25))).encode()
