"""What keeps rtpengine's calls when it dies: Debian's redis-server beside it, on loopback, without a disk.

rtpengine writes each call there when it changes, and reads all of them when it starts: ports, keys and codecs are as they were; sounds that
played must be started again. Both secrets stand in files, for command lines are everybody's to read.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

BINARY = "redis-server"


@dataclass(frozen=True, slots=True)
class Memory:
    """One redis-server. `folder` is where both configurations stand, and is nobody else's to read."""

    folder: Path
    port: int
    password: str
    most_megabytes: int = 256  # some 10 kB a call; what does not fit is not kept, and the calls go on without

    @property
    def file(self) -> Path:
        """What redis-server reads."""
        return self.folder / "redis.conf"

    @property
    def engine_file(self) -> Path:
        """What rtpengine reads."""
        return self.folder / "rtpengine.conf"


async def keys_held(memory: Memory) -> int:
    """How many keys it holds; none when there are no calls. Raises OSError, and ValueError for an answer that is no number.

    In its own protocol (RESP): a line each way.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", memory.port)
    try:
        writer.write(f"AUTH {memory.password}\r\nDBSIZE\r\n".encode())
        await reader.readline()
        return int((await reader.readline()).decode().removeprefix(":"))
    finally:
        writer.close()


def arguments(memory: Memory) -> list[str]:
    """The command line, program first."""
    return [BINARY, str(memory.file)]


def write_configuration(memory: Memory) -> None:
    """Write what both are to read, for their owner's eyes only."""
    for file, text in ((memory.file, _of_redis(memory)), (memory.engine_file, _of_rtpengine(memory))):
        file.touch(mode=0o600)
        file.write_text(text)


def _of_redis(memory: Memory) -> str:
    lines = (
        "bind 127.0.0.1",
        f"port {memory.port}",
        f"requirepass {memory.password}",
        'save ""',  # nothing on disk: the calls it knows of are over when the machine is
        "appendonly no",
        f"dir {memory.folder}",
        f"maxmemory {memory.most_megabytes}mb",
        "maxmemory-policy noeviction",  # half a call is worse than none
        "databases 1",
        "maxclients 32",
        "daemonize no",
        "loglevel warning",
    )
    return "\n".join((*lines, ""))


def _of_rtpengine(memory: Memory) -> str:
    lines = (
        "[rtpengine]",
        f"redis = {memory.password}@127.0.0.1:{memory.port}/0",
        "no-redis-required = true",  # its death takes nothing but the memory
        # A memory that hangs holds up calls: a third of a second, and then none for a second.
        "redis-connect-timeout = 300",
        "redis-cmd-timeout = 300",
        "redis-allowed-errors = 1",
        "redis-disable-time = 1",
    )
    return "\n".join((*lines, ""))
