"""Why a system cannot start: one class a reason, and a text that says what to do."""


class CannotStart(Exception):
    """The system was not started, or was taken down again. The text is for the person who started it."""


class PortTaken(CannotStart):
    """A port that a setting names is in use, or cannot be opened."""


class NoRtpPorts(CannotStart):
    """No block of UDP ports for sound is free, or the block named is not."""


class FolderUnusable(CannotStart):
    """The data folder is in use by another system, or cannot be written."""


class ProgramMissing(CannotStart):
    """An engine is not installed."""


class ChildNotReady(CannotStart):
    """A process was started, but ended or stayed silent."""
