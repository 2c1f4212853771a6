"""How rtpengine is started: as a child in the foreground, root or not, told everything on the command line."""

from dataclasses import dataclass
from pathlib import Path

BINARY = "rtpengine"


@dataclass(frozen=True, slots=True)
class RtpEngineSettings:
    """What one rtpengine is to be told.

    `address` is where telephones' RTP is taken, `advertised` what SDP names instead (behind NAT). The ng ports listen on `control_address`
    alone: whoever reaches them commands every call. Two engines with one address must not share RTP ports: rtpengine binds the same ones
    without an error.
    """

    address: str
    ng_port: int
    ng_tcp_port: int
    port_min: int
    port_max: int
    advertised: str | None = None
    address6: str | None = None
    """The same in IPv6; None: none, and an IPv6 telephone is answered with IPv4."""
    configuration: Path | None = None
    """A file with what is secret (memory.py)."""
    control_address: str = "127.0.0.1"
    threads: int = 2
    media_threads: int = 1
    log_level: int = 5


def arguments(settings: RtpEngineSettings) -> list[str]:
    """The command line, program first."""
    interface = f"{settings.address}!{settings.advertised}" if settings.advertised else settings.address
    return [
        BINARY,
        f"--config-file={settings.configuration or 'none'}",  # Debian's /etc/rtpengine/rtpengine.conf would be read, and open its ports
        "--foreground",  # a child of the supervisor, which must see it end
        "--log-stderr",  # no syslog needed; the supervisor keeps the lines
        "--no-log-timestamps",  # the supervisor writes its own
        f"--log-level={settings.log_level}",  # 5: notices; 6 tells every SDP, 7 every packet
        "--table=-1",  # no kernel module: runs without root and in containers
        f"--interface={interface}",
        *([f"--interface={settings.address6}"] if settings.address6 else []),
        f"--listen-ng={settings.control_address}:{settings.ng_port}",
        f"--listen-tcp-ng={settings.control_address}:{settings.ng_tcp_port}",
        "--dtmf-log-ng-tcp",  # digits are pushed to whoever holds a TCP ng connection
        f"--port-min={settings.port_min}",
        f"--port-max={settings.port_max}",
        f"--num-threads={settings.threads}",  # the default is one a core, at least four
        f"--media-num-threads={settings.media_threads}",
        "--delete-delay=0",  # else the ports of an ended call stay taken for 30 s
        "--timeout=300",  # seconds without any packet from anybody: the rest of a call whose switch died
        "--silent-timeout=3600",  # a call on hold, where SDP told both sides to send nothing
    ]
