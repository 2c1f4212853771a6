"""The plan of one running system: what was decided at the start and every process is told, in a file that only the owner can read."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class SystemPlan:
    """Addresses, ports and folders of one running system. All hosts but `address`, `address6` and `carrier_host` are 127.0.0.1."""

    data_dir: str
    database_url: str = field(repr=False)
    """The database of the organizations; a password may be in it."""
    address: str
    address6: str | None
    """The same in IPv6, without brackets; None: no IPv6."""
    off_loopback: bool
    sip_port: int
    sips_port: int
    http_port: int
    edge_carrier_port: int
    edge_inner_port: int
    edge_secret: str
    switch_port: int
    ng_port: int
    ng_tcp_port: int
    media_memory_port: int
    """Where rtpengine's calls are kept; 0: nowhere."""
    media_memory_secret: str
    rtp_first: int
    rtp_last: int
    carrier_host: str
    carrier_port: int
    sandbox: bool
    drain_seconds: int
    trusted: tuple[str, ...]
    ping_phones: str
    ping_carriers_seconds: int
    new_calls_per_second: int
    most_calls: int
    most_calls_a_user: int
    session_seconds: int
    follows_redirects: bool
    offers_srtp: bool
    log_level: str
    log_format: str
    metrics_from: tuple[str, ...]
    webhooks_to_private: bool
    mail_server: str | None = field(repr=False)
    """Where mail is brought to; a password may be in it. None: mail is off."""
    mail_from: str | None
    public_url: str | None
    """Where people reach the pages, if not at `api_url`."""
    probe: dict[str, Any]
    """The self-test's organization and its passwords, in the form of sandbox.json."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """`address`, and `address6` where there is one."""
        return (self.address, *([self.address6] if self.address6 else []))

    @property
    def folder(self) -> Path:
        """The data folder."""
        return Path(self.data_dir)

    @property
    def run_folder(self) -> Path:
        """Where sockets and rendered configurations are."""
        return self.folder / "run"

    @property
    def edge_database(self) -> Path:
        """The edge's own file."""
        return self.folder / "edge.sqlite"

    @property
    def tls_folder(self) -> Path:
        """Certificates and keys; see supervisor.certificates."""
        return self.folder / "tls"

    @property
    def file(self) -> Path:
        """Where this plan itself is kept while the system runs."""
        return self.run_folder / "plan.json"

    @property
    def switch_desk(self) -> Path:
        """Where the switch answers the other processes."""
        return self.run_folder / "switch.desk"

    @property
    def carrier_desk(self) -> Path:
        """Where the sandbox's carrier does."""
        return self.run_folder / "carrier.desk"

    @property
    def supervisor_desk(self) -> Path:
        """Where the supervisor does."""
        return self.run_folder / "supervisor.desk"

    @property
    def api_url(self) -> str:
        """Where the pages and the API are."""
        return f"http://{self.address}:{self.http_port}"

    @property
    def pages_url(self) -> str:
        """Where links lead that people are sent."""
        return self.public_url or self.api_url

    def values(self) -> dict[str, Any]:
        """The plan as JSON values."""
        return asdict(self)


def read_plan(file: Path) -> SystemPlan:
    """The plan in a file that the supervisor wrote. Raises OSError, ValueError."""
    try:
        values = json.loads(file.read_text())
        for name in ("trusted", "metrics_from"):
            values[name] = tuple(values[name])
        return SystemPlan(**{entry.name: values[entry.name] for entry in fields(SystemPlan)})
    except (ValueError, TypeError, KeyError) as wrong:
        raise ValueError(f"{file} is no plan of this version: {type(wrong).__name__}: {wrong}") from wrong
