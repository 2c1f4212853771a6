"""Messages written by hand, for peers that an agent of ours would never be."""

from offhook.sip.addresses import Address
from offhook.sip.agent import Agent
from offhook.sip.facts import AckReceived, InviteReceived, Output, Send
from tests.sip.lines import ANSWER, OFFER

PEER = Address("192.0.2.9", 5070)
US = Address("127.0.0.1", 7001)


def an_agent(**settings: object) -> Agent:
    words = iter(range(1, 1_000_000))
    settings.setdefault("dice", lambda: 0.0)
    return Agent(local=US, user_agent="offhook", tokens=lambda: f"w{next(words)}", **settings)  # type: ignore[arg-type]


def message(start: str, *headers: str, body: str = "") -> bytes:
    return "\r\n".join([start, *headers, f"Content-Length: {len(body)}", "", body]).encode()


def request(
    method: str,
    *,
    uri: str = "sip:anna@127.0.0.1:7001",
    branch: str = "z9hG4bK1",
    cseq: int = 1,
    from_tag: str = "theirs",
    to_tag: str = "",
    call_id: str = "raw",
    more: tuple[str, ...] = (),
    body: str = "",
) -> bytes:
    """A request of PEER; an INVITE with a body carries SDP."""
    kind = ("Content-Type: application/sdp",) if body and not any(line.startswith("Content-Type") for line in more) else ()
    return message(
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP 192.0.2.9:5070;rport;branch={branch}",
        "Max-Forwards: 70",
        f"From: <sip:peer@192.0.2.9>;tag={from_tag}",
        f"To: <sip:anna@lumen.test>{';tag=' + to_tag if to_tag else ''}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:peer@192.0.2.9:5070>",
        *more,
        *kind,
        body=body,
    )


def invite(**changes: object) -> bytes:
    return request("INVITE", **({"body": OFFER} | changes))  # type: ignore[arg-type]


def response(sent: bytes, status: int, *, to_tag: str = "far", more: tuple[str, ...] = (), body: str = "") -> bytes:
    """A response to a request that the agent has sent."""
    copied = [line for line in sent.decode().split("\r\n") if line.partition(":")[0] in ("Via", "From", "Call-ID", "CSeq")]
    to = next(line for line in sent.decode().split("\r\n") if line.startswith("To:"))
    tag = f";tag={to_tag}" if to_tag and ";tag=" not in to else ""
    kind = ("Content-Type: application/sdp",) if body else ()
    return message(f"SIP/2.0 {status} Said", *copied, to + tag, *more, *kind, body=body)


def sends(outputs: list[Output]) -> list[Send]:
    return [output for output in outputs if isinstance(output, Send)]


def sent(outputs: list[Output]) -> list[bytes]:
    return [send.data for send in sends(outputs)]


def statuses(outputs: list[Output]) -> list[int]:
    return [int(data.split()[1]) for data in sent(outputs) if data.startswith(b"SIP/2.0")]


def header(data: bytes, name: str) -> list[str]:
    lines = data.decode().split("\r\n\r\n")[0].split("\r\n")[1:]
    return [line.partition(":")[2].strip() for line in lines if line.partition(":")[0] == name]


def told(outputs: list[Output], kind: type[Output]) -> list[Output]:
    return [output for output in outputs if isinstance(output, kind)]


def ours(data: bytes) -> str:
    """The tag we put into To."""
    return header(data, "To")[0].partition(";tag=")[2]


def answered(agent: Agent, *, more: tuple[str, ...] = ()) -> tuple[str, str]:
    """The peer's call has been answered and acknowledged: session and our tag."""
    came = next(fact for fact in agent.receive(invite(more=more), PEER, 0.0) if isinstance(fact, InviteReceived))
    tag = ours(sent(agent.answer(came.session, sdp=ANSWER, now=0.1))[0])
    outputs = agent.receive(request("ACK", branch="z9hG4bK2", to_tag=tag), PEER, 0.2)
    assert told(outputs, AckReceived)
    return came.session, tag


def calling(agent: Agent, sdp: str | None = OFFER) -> bytes:
    """The agent calls PEER; its INVITE."""
    return sent(
        agent.invite(
            "call",
            request_uri="sip:peer@192.0.2.9:5070",
            from_header='"Anna; the first" <sip:anna@lumen.test>',
            to_header="<sip:peer@lumen.test>",
            destination=PEER,
            sdp=sdp,
            now=0.0,
        )
    )[0]
