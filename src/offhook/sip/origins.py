"""The o= line of what we describe (RFC 8866 5.2): one origin a session, whoever wrote the description that we pass on."""

_BEGIN = "v=0\r\no="


class Origin:
    """One session's. Its version grows by one with each description that is not the one before (RFC 3264 8)."""

    __slots__ = ("_last", "_number", "_version", "_where")

    def __init__(self, number: int) -> None:
        """number is no other session's."""
        self._number = number
        self._version = 0
        self._where = ""
        self._last = ""

    def writes(self, sdp: str) -> str:
        """The description under our own o= line; what has none is sent as it is.

        Nothing else of it is read: this is in the way of every call.
        """
        if not sdp.startswith(_BEGIN):
            return sdp
        end = sdp.find("\r\n", len(_BEGIN))
        if not self._where:
            # Where the first sound comes from. It stays, wherever sound may move to: only the version may change.
            self._where = sdp[sdp.find(" IN ", len(_BEGIN), end) : end]
        if self._written(sdp, end) != self._last:
            self._version += 1
            self._last = self._written(sdp, end)
        return self._last

    def _written(self, sdp: str, end: int) -> str:
        return f"{_BEGIN}- {self._number} {self._version}{self._where}{sdp[end:]}"
