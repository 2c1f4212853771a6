"""`offhook doctor`: the machine, the engines, the network, what is kept, and the running system if there is one."""

import asyncio
import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import typer
from rich.text import Text
from sqlalchemy.exc import DBAPIError

import offhook
from offhook import intercom
from offhook.doors.cli import shown
from offhook.doors.cli.app import app
from offhook.doors.cli.asking import Json
from offhook.engines.mail.client import why_not
from offhook.plan import SystemPlan, read_plan
from offhook.probes.doctor.engines import look_at_engines
from offhook.probes.doctor.findings import Finding, State, exit_code, failure, graded, looked_at, ok, warning
from offhook.probes.doctor.machine import look_at_machine
from offhook.probes.doctor.network import Network, Wanted, look_at_network
from offhook.settings import Settings, SettingsWrong, read
from offhook.store.engine import open_engine, words_of
from offhook.store.migrate import known_revisions, newest_revision
from offhook.store.postgres import unfit_for_us
from offhook.supervisor.certificates import CertificateFolder, now_utc
from offhook.supervisor.ports import claim_rtp_block
from offhook.wiring.mail import courier_of, is_loopback, mail_server_of

TEMPLATES = Path(offhook.__file__).parents[2] / "deploy" / "kamailio"
_STYLES = {State.OK: "green", State.WARNING: "yellow", State.FAILURE: "bold red"}
_SECONDS = 5.0
_LATE_SECONDS = 10.0
"""That a change counts is noted a moment after it does."""


@app.command()
def doctor(as_json: Json = False) -> None:
    """Look at this machine and tell what to do; exit code 0 all well, 1 something to see to, 2 something that must be seen to."""
    findings = list(look(dict(os.environ)))
    if as_json:
        shown.print_json({"findings": [asdict(each) for each in findings], "exit_code": exit_code(findings)})
    else:
        rows = [(each.area, each.name, Text(each.state.value, _STYLES[each.state]), each.detail, each.remedy) for each in findings]
        shown.print_table(["area", "what", "state", "detail", "what to do"], rows)
    raise typer.Exit(exit_code(findings))


def look(environment: dict[str, str]) -> Iterator[Finding]:
    """Everything there is to find, with the settings of this environment."""
    try:
        settings = read(environment)
    except SettingsWrong as wrong:
        for mistake in wrong.mistakes:
            yield failure("settings", mistake.name, f"{mistake.value!r}", f"It {mistake.right}")
        settings = Settings()
    else:
        yield ok("settings", "settings", "can all be used")
    plan = _plan(settings.data_dir)
    states = _states(plan) if plan else None
    yield from look_at_machine(settings.data_dir)
    yield from look_at_engines(TEMPLATES)
    yield from look_at_network(_network(settings, plan if states else None, states or []))
    yield from looked_at("mail", (lambda: _mail(settings),))
    yield from looked_at("kept", (lambda: _folder(settings.data_dir),))
    if _can_be_seen(settings.data_dir):
        yield from looked_at("kept", (lambda: _database(settings), lambda: _certificate(settings)))
        yield from looked_at("running", (lambda: _running(plan, states),))


def _plan(folder: Path) -> SystemPlan | None:
    try:
        return read_plan(folder / "run" / "plan.json")
    except (OSError, ValueError):
        return None


def _states(plan: SystemPlan) -> list[dict[str, Any]] | None:
    """The processes, as the supervisor of a running system tells them; None if none runs."""
    try:
        states: list[dict[str, Any]] = asyncio.run(intercom.ask(plan.supervisor_desk, "states", _SECONDS))
    except (intercom.Silent, intercom.Refused):
        return None
    return states


def _network(settings: Settings, plan: SystemPlan | None, states: list[dict[str, Any]]) -> Network:
    told: Settings | SystemPlan = plan or settings

    def rtp() -> str:
        block = claim_rtp_block(settings.rtp_ports, avoid=(settings.sip_port,))
        block.release()
        return f"{block.first}-{block.last}"

    return Network(
        address=told.address,
        address6=told.address6,
        sandbox=told.sandbox,
        ports=(
            *(wanted for address in (told.address, told.address6) if address for wanted in _of_telephones(told, address)),
            Wanted("OFFHOOK_HTTP_PORT", told.address, told.http_port, ("tcp",)),
        ),
        rtp=rtp,
        running=frozenset(each["pid"] for each in states if each["pid"]),
    )


def _of_telephones(told: Settings | SystemPlan, address: str) -> tuple[Wanted, ...]:
    return (
        Wanted("OFFHOOK_SIP_PORT", address, told.sip_port, ("udp", "tcp")),
        Wanted("OFFHOOK_SIPS_PORT", address, told.sips_port, ("tcp",)),
    )


def _mail(settings: Settings) -> Iterator[Finding]:
    if settings.mail_server is None or settings.mail_from is None:
        yield ok("mail", "mail server", "none is named, so no mail is sent", "Links of invitations are handed over by hand until then.")
        return
    server = mail_server_of(settings.mail_server)
    try:
        said = courier_of(settings.mail_server, settings.mail_from, settings.address).look()
    except (OSError, ValueError) as why:  # SMTP's are OSErrors too
        remedy = "Correct OFFHOOK_MAIL_SERVER; mail waits meanwhile. docs/operate/mail.md says what is asked of the server."
        yield failure("mail", "mail server", f"{server.host}:{server.port} takes no mail from us ({why_not(why)})", remedy)
        return
    readable = server.tls == "none" and not is_loopback(server.host)
    words = "Invitations and a password go readably: leave out ?starttls=no, or use smtps."
    yield graded("mail", "mail server", State.WARNING if readable else State.OK, said, words)
    yield ok("mail", "mail", "only a mail that arrives shows that mail works", "./offhook mails test --to YOUR ADDRESS")


def _can_be_seen(folder: Path) -> bool:
    return not folder.exists() or os.access(folder, os.R_OK | os.X_OK)


def _folder(folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        place = next(each for each in folder.parents if each.exists())
        state = State.OK if os.access(place, os.W_OK) else State.FAILURE
        remedy = f"Make {folder} as root and give it to the user who starts the system, or set OFFHOOK_DATA_DIR."
        yield graded("kept", "data folder", state, f"{folder} will be made at the first start", remedy)
        return
    mine = folder.stat().st_uid == os.getuid() or os.getuid() == 0
    if not mine or not os.access(folder, os.W_OK):
        who = f"{folder} belongs to user {folder.stat().st_uid}, and you are {os.getuid()}"
        yield warning("kept", "data folder", who, "Ask again as that user: what is kept and what runs is hidden from others.")
        return
    shared = stat.S_IMODE(folder.stat().st_mode) & 0o077
    yield graded("kept", "data folder", State.WARNING if shared else State.OK, str(folder), f"Passwords lie there: chmod 700 {folder}")
    key = folder / "secret.key"
    if key.exists():
        state = State.OK if key.stat().st_size == 32 else State.FAILURE
        yield graded("kept", "secret.key", state, f"{key.stat().st_size} bytes", "It is damaged: restore it from a backup, or remove it.")


def _database(settings: Settings) -> Iterator[Finding]:
    if settings.database_url is not None:
        yield from _on_postgres(settings.database_url)
        return
    file = settings.data_dir / "offhook.sqlite"
    if not file.exists():
        yield ok("kept", "database", "will be made at the first start")
        return
    try:
        with closing(
            sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=_SECONDS, isolation_level=None)
        ) as connection:
            connection.execute("BEGIN IMMEDIATE")  # the lock that every change needs
            (held,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
            connection.execute("ROLLBACK")
    except sqlite3.Error as why:
        yield failure(
            "kept", "database", f"{file} cannot be written ({why})", "See who has it open (fuser), whether the disk is full, and its owner."
        )
        return
    yield from _tables(held)


def _on_postgres(url: str) -> Iterator[Finding]:
    engine = open_engine(url, busy_seconds=_SECONDS)
    try:
        if why := unfit_for_us(engine):
            yield failure("kept", "database", f"cannot be used: {why}", "Make it anew; docs/operate/database.md says how.")
            return
        with engine.begin() as connection:  # that may write, which a standby does not allow
            there = connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar()
            held = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() if there else None
    except DBAPIError as why:
        remedy = "Check that the server runs and OFFHOOK_DATABASE_URL is right; docs/operate/database.md."
        yield failure("kept", "database", f"PostgreSQL cannot be written to ({words_of(why)})", remedy)
        return
    finally:
        engine.dispose()
    if held is None:
        yield ok("kept", "database", "PostgreSQL lets us in; tables will be made at the first start")
    else:
        yield from _tables(held)


def _tables(held: str) -> Iterator[Finding]:
    if held == newest_revision():
        yield ok("kept", "database", f"can be written, its tables are this release's ({held})")
    elif held in known_revisions():
        yield ok(
            "kept",
            "database",
            f"tables of an earlier release ({held}); the next start brings them up to date",
            "Take a backup before that.",
        )
    else:
        yield failure("kept", "database", f"was made by another release ({held})", "Start that release, or a later one.")


def _certificate(settings: Settings) -> Iterator[Finding]:
    given = (settings.tls_certificate, settings.tls_key) if settings.tls_certificate and settings.tls_key else None
    folder = CertificateFolder(settings.data_dir / "tls", (settings.address,), given)
    if not folder.server.exists():
        yield ok("kept", "certificate", "will be made at the first start" if given is None else "will be taken up at the first start")
        return
    facts = folder.facts()
    days = facts.days_left(now_utc())
    state = State.FAILURE if days < 0 else State.WARNING if days < 14 else State.OK
    remedy = "Start the system: it makes a new one." if facts.own else "Get a new one, then `./offhook certificates reload`."
    yield graded("kept", "certificate", state, f"{days} days left, for {', '.join(facts.names)}", remedy)
    if settings.address not in facts.names and facts.own:
        yield warning("kept", "certificate", f"is not good for {settings.address}", "Start the system again: it makes one that is.")


def _running(plan: SystemPlan | None, states: list[dict[str, Any]] | None) -> Iterator[Finding]:
    if plan is None or states is None:
        yield ok("running", "system", "does not run", "./run starts it; then ask the doctor again.")
        return
    for each in states:
        detail = f"{each['state']}, process {each['pid']}, {each['restarts']} restarts"
        state = State.FAILURE if each["state"] != "ready" else State.WARNING if each["restarts"] else State.OK
        yield graded("running", each["name"], state, detail, f"See the end of {plan.folder / 'logs' / each['name']}.log.")
    yield from _health(plan)
    yield ok("running", "calls", "only calls show that calls work", "./offhook selftest places some.")


def _health(plan: SystemPlan) -> Iterator[Finding]:
    token = (plan.folder / "provider.token").read_text().strip()
    with httpx.Client(trust_env=False, timeout=_SECONDS, headers={"Authorization": f"Bearer {token}"}, base_url=plan.api_url) as client:
        for name, part in client.get("/healthz").json()["parts"].items():
            state = State.OK if part["status"] == "ok" else State.FAILURE
            yield graded("running", f"{name} answers", state, part["detail"], "docs/operate/health.md says what each part needs.")
        figures = client.get("/metrics").text
        carriers = client.get("/api/v1/carriers").json()["carriers"]
    for consumer, seconds in re.findall(r'^offhook_history_behind_seconds\{consumer="(\w+)"\} (\S+)$', figures, re.MULTILINE):
        state = State.OK if float(seconds) < _LATE_SECONDS else State.WARNING
        detail = "has taken up every change" if float(seconds) == 0 else f"a change waits since {float(seconds):.0f} s"
        yield graded("running", f"changes: {consumer}", state, detail, "See switch.log and web.log; it goes on by itself once it can.")
    yield from _carriers(carriers)
    if registered := re.search(r"^offhook_registrations (\d+)", figures, re.MULTILINE):
        yield ok("running", "registrar", f"{registered[1]} telephones are registered")


def _carriers(carriers: list[dict[str, Any]]) -> Iterator[Finding]:
    for each in carriers:
        down = each["state"] == "down"
        detail = " since ".join((each["state"], *([shown.moment(each["state_at"])] if each["state_at"] else [])))
        if each["round_trip_seconds"] is not None and not down:
            detail += f", answers in {1000 * each['round_trip_seconds']:.0f} ms"
        remedy = "docs/operate/when-something-is-wrong.md, A carrier is down; calls to it are tried all the same."
        yield graded("running", f"carrier {each['name']}", State.FAILURE if down else State.OK, detail, remedy)
