# ruff: noqa: E501 - a table: one row an ending
"""How a call can end: one row an ending, and everything that is said of it anywhere is read from its row."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Fault(StrEnum):
    """Whose doing it was."""

    NOBODY = "nobody"
    CALLER = "caller"
    CALLEE = "callee"
    CONFIGURATION = "configuration"
    NETWORK = "network"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class Ending:
    """One way a call ends.

    `code` is stable; `sip_status` is what a caller who is not yet connected gets; `cause` is the ITU-T Q.850 cause sent in Reason (RFC 3326);
    `explanation` says what happened and `remedy` what to do about it (empty: nothing needs doing).
    """

    code: str
    sip_status: int
    sip_reason: str
    cause: int
    fault: Fault
    explanation: str
    remedy: str = ""


HUNG_UP_BY_CALLER = Ending("completed.by_caller", 200, "OK", 16, Fault.NOBODY, "They talked, and the caller hung up.")
HUNG_UP_BY_CALLEE = Ending("completed.by_callee", 200, "OK", 16, Fault.NOBODY, "They talked, and the called side hung up.")
CALLER_CANCELLED = Ending("caller.cancelled", 487, "Request Terminated", 16, Fault.NOBODY, "The caller hung up before anybody answered.")
CALLEE_BUSY = Ending("callee.busy", 486, "Busy Here", 17, Fault.CALLEE, "Every telephone of the called person was busy.")
CALLEE_NO_ANSWER = Ending("callee.no_answer", 480, "Temporarily Unavailable", 19, Fault.CALLEE, "It rang, and nobody answered in time.")
CALLEE_DECLINED = Ending("callee.declined", 603, "Decline", 21, Fault.CALLEE, "The called person declined the call.")
CALLEE_NOT_REGISTERED = Ending(
    "callee.not_registered",
    480,
    "Temporarily Unavailable",
    20,
    Fault.CALLEE,
    "The called person has no telephone registered at the moment.",
    "Check that the telephone is on, reaches this server and shows itself as registered; the log of kamailio names refused registrations and says why.",
)
CALLEE_UNREACHABLE = Ending(
    "callee.unreachable",
    480,
    "Temporarily Unavailable",
    18,
    Fault.NETWORK,
    "The called person's telephone is registered but did not answer at all.",
    "Check the telephone's network; behind a NAT let it register over TCP or more often.",
)
CALLEE_FAILED = Ending(
    "callee.failed",
    480,
    "Temporarily Unavailable",
    41,
    Fault.CALLEE,
    "The called telephone answered with an error.",
    "The ladder in the explanation shows its answer; look in the telephone's own log.",
)
NO_COMMON_CODEC = Ending(
    "media.no_common_codec",
    488,
    "Not Acceptable Here",
    65,
    Fault.CALLER,
    "The two ends share no way to encode sound that this system can pass or convert.",
    "Switch on G.711 (PCMU or PCMA), G.722 or Opus in the telephone.",
)
NUMBER_UNREADABLE = Ending(
    "number.unreadable",
    484,
    "Address Incomplete",
    28,
    Fault.CALLER,
    "What was dialled is no extension, no emergency number and can be no telephone number.",
    "Dial an extension, a national number, or an international one beginning with +.",
)
NUMBER_NOT_ASSIGNED = Ending(
    "number.not_assigned",
    404,
    "Not Found",
    1,
    Fault.CONFIGURATION,
    "The number called is nobody's in this system.",
    "Assign the number to a person or an attendant, or ask the carrier why it sends it here.",
)
CALLER_UNKNOWN = Ending(
    "caller.unknown",
    403,
    "Forbidden",
    21,
    Fault.CONFIGURATION,
    "The caller's telephone is of nobody in the configuration the switch holds.",
    "If the user was just created or deleted, try again in a second; else look for errors in the switch's log.",
)
NO_CARRIER = Ending(
    "carrier.none",
    503,
    "Service Unavailable",
    3,
    Fault.CONFIGURATION,
    "The call is for the public network and this organization has no carrier.",
    "Give the organization a carrier.",
)
CARRIER_NUMBER_UNKNOWN = Ending(
    "carrier.number_unknown",
    404,
    "Not Found",
    1,
    Fault.CALLER,
    "The carrier says that the number called does not exist.",
    "Check the number.",
)
CARRIER_REFUSED = Ending(
    "carrier.refused",
    503,
    "Service Unavailable",
    41,
    Fault.NETWORK,
    "The carrier refused the call.",
    "The ladder in the explanation shows the carrier's answer; ask the carrier with its Call-ID.",
)
CARRIER_UNREACHABLE = Ending(
    "carrier.unreachable",
    503,
    "Service Unavailable",
    38,
    Fault.NETWORK,
    "The carrier did not answer at all.",
    "Check the carrier's address and the network.",
)
ATTENDANT_NO_INPUT = Ending(
    "attendant.no_input", 200, "OK", 16, Fault.CALLER, "The caller pressed no key that the attendant knows, and the attendant said goodbye."
)
CALLER_LEFT = Ending(
    "caller.left", 200, "OK", 16, Fault.NOBODY, "An attendant had answered, and the caller hung up before the person called did."
)
ATTENDANT_LEFT = Ending("attendant.caller_left", 200, "OK", 16, Fault.NOBODY, "The caller hung up while with the attendant.")
ATTENDANT_VOICELESS = Ending(
    "attendant.voiceless",
    503,
    "Service Unavailable",
    41,
    Fault.OURS,
    "The attendant could not speak its greeting and has no operator to connect to.",
    "The explanation names the sound and what is wrong with it; replace it, or set key 0.",
)
MEDIA_ABSENT = Ending(
    "media.engine_absent",
    503,
    "Service Unavailable",
    42,
    Fault.OURS,
    "The media engine did not answer.",
    "It is restarted by itself; if this goes on look in the log of rtpengine.",
)
MEDIA_REFUSED = Ending(
    "media.refused",
    500,
    "Server Internal Error",
    41,
    Fault.OURS,
    "The media engine refused what it was asked.",
    "The explanation has its words; report them.",
)
CALLER_LOST = Ending(
    "caller.lost",
    408,
    "Request Timeout",
    102,
    Fault.NETWORK,
    "The caller's telephone went silent in the middle of the signalling.",
    "Check the telephone's network: our answer or its acknowledgement did not come through.",
)
CALLEE_LOST = Ending(
    "callee.lost",
    480,
    "Temporarily Unavailable",
    102,
    Fault.NETWORK,
    "The called telephone went silent in the middle of the signalling, or no longer knew of the call.",
    "Check the telephone's network, and whether it was started anew during the call.",
)
REGISTRAR_ABSENT = Ending(
    "edge.registrar_absent",
    503,
    "Service Unavailable",
    42,
    Fault.OURS,
    "The edge did not say which telephones are registered.",
    "It is restarted by itself; if this goes on look in the log of kamailio.",
)
SYSTEM_STOPPED = Ending("system.stopped", 503, "Service Unavailable", 41, Fault.OURS, "The system was being stopped.")
SWITCH_FAILED = Ending(
    "switch.failed",
    500,
    "Server Internal Error",
    41,
    Fault.OURS,
    "The switch made a mistake of its own.",
    "Its log has the details; please report them.",
)
SWITCH_LOST = Ending(
    "switch.lost",
    503,
    "Service Unavailable",
    41,
    Fault.OURS,
    "The switch died during the call; the next one ended it on both sides. The call counts up to the last sign of life.",
    "Look for the reason in the switch's log before its last start, and report it.",
)
MEDIA_SILENT = Ending(
    "media.silent",
    480,
    "Temporarily Unavailable",
    102,
    Fault.NETWORK,
    "They were connected, and for five minutes no sound came from either side: the call was dead and was hung up.",
    "Look for telephones that lost their network or were switched off in mid-call.",
)
MEDIA_LOST = Ending(
    "media.lost",
    480,
    "Temporarily Unavailable",
    42,
    Fault.OURS,
    "The media engine died during the call, and the call's sound with it.",
    "It was restarted by itself; look for the reason in the log of rtpengine. With redis-server installed calls outlive it.",
)

TRANSFERRED = Ending(
    "completed.transferred",
    200,
    "OK",
    16,
    Fault.NOBODY,
    "They talked, and one of them connected the other with somebody else: a call of its own.",
)
SYSTEM_FULL = Ending(
    "system.full",
    503,
    "Service Unavailable",
    34,
    Fault.OURS,
    "The system carried as many calls as it may, or had no ports left for their sound.",
    "Raise OFFHOOK_MOST_CALLS or OFFHOOK_RTP_PORTS if the machine has room (see the load figures), or add a machine. Emergency calls are never refused for this.",
)
CALLER_OVERDOES = Ending(
    "caller.too_many_calls",
    403,
    "Too Many Calls",
    21,
    Fault.CALLER,
    "The caller had as many calls under way as one user may make at once.",
    "Look for a telephone that dials by itself, or a password that somebody else has; raise OFFHOOK_MOST_CALLS_A_USER if so many are meant. Emergency calls are never refused for this.",
)

ANSWERED_ELSEWHERE = Ending("leg.answered_elsewhere", 200, "Call completed elsewhere", 26, Fault.NOBODY, "Another telephone took the call.")


def _by_code(endings: Iterable[Ending]) -> Mapping[str, Ending]:
    return MappingProxyType({ending.code: ending for ending in endings})


ENDINGS: Mapping[str, Ending] = _by_code(value for value in tuple(globals().values()) if isinstance(value, Ending))
"""Every ending by its code."""
