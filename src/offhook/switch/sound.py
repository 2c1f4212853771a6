"""Small changes to session descriptions on their way between a call and the media engine."""

from offhook.domain.media import Direction
from offhook.sip import sdp


def flowing(text: str, direction: Direction) -> str:
    """The description with its sound flowing this way."""
    return str(sdp.with_direction(sdp.parse(text), sdp.Direction(direction.value)))
