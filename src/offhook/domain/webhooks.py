"""What a webhook can be told of."""

ALL_EVENTS = "*"
TEST = "webhook.test"
CALL_BEGAN, CALL_ANSWERED, CALL_ENDED = "call.began", "call.answered", "call.ended"
"""A call's whole life; what becomes of it in between is not told."""

DEEDS = ("created", "changed", "deleted")
SEEN_WITH = {
    "organization": "organization:read",
    "user": "users:read",
    "password": "users:read",
    "device": "devices:read",
    "attendant": "attendants:read",
    "attendant_key": "attendants:read",
    "number": "numbers:read",
    "token": "tokens:read",
    "webhook": "webhooks:read",
    "call": "calls:read",
}
"""What can happen to: kinds of the history, and calls; with the scope that sees them."""

_CHANGES = tuple(f"{kind}.{deed}" for kind in SEEN_WITH if kind != "call" for deed in DEEDS)
EVENTS = tuple(sorted((CALL_BEGAN, CALL_ANSWERED, CALL_ENDED, *_CHANGES)))
PATTERNS = frozenset({ALL_EVENTS, *EVENTS, *(f"{kind}.*" for kind in SEEN_WITH)})
"""What a webhook can ask for: events, all of a kind, everything."""
