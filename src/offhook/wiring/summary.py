"""What is printed when all is ready: where to go, what to dial."""

from collections.abc import Iterator

from offhook.plan import SystemPlan
from offhook.services.sandbox import SandboxOrganization, SandboxSummary


def summary_lines(plan: SystemPlan, seeded: SandboxSummary | None, invitation: str | None) -> Iterator[str]:
    """The lines for the person who started the system. `invitation` is the one-time link where there is no organization yet."""
    yield ""
    yield f"Offhook is ready. Pages and API: {plan.api_url}   Telephones: {plan.address}:{plan.sip_port}, UDP or TCP"
    if invitation is not None:
        yield f"There is no organization yet. Its first administrator opens, once, within a week: {invitation}"
    if seeded is not None:
        yield from _sandbox_lines(plan, seeded)
    yield f"What happens is written to {plan.folder / 'logs'}. Ctrl-C stops: calls that go on get {plan.drain_seconds} s."


def _sandbox_lines(plan: SystemPlan, seeded: SandboxSummary) -> Iterator[str]:
    if plan.off_loopback:
        yield f"The sandbox's passwords are refused, because {plan.address} is reached by others; see `./offhook users`."
        return
    for organization in (seeded.first, *seeded.others):
        yield ""
        yield f"{organization.profile.name}   SIP domain {organization.profile.domain}"
        yield from _people(organization)
    first, carrier = seeded.first, seeded.carrier
    yield ""
    yield "Set up any softphone with a user above (domain as given, outbound proxy = the telephones' address), then dial"
    if first.attendant is not None:
        yield f"  {first.attendant.extension:15} {first.attendant.name}: speaks, and takes a key"
    if extensions := [entry.user.extension for entry in first.users if entry.user.extension]:
        yield f"  {', '.join(extensions):15} the people of {first.profile.name}"
    yield "  12065550199     the public network: the sandbox's carrier answers, speaks the number, and then is an echo"
    yield "  911             the sandbox's emergency desk speaks your number (no real one is called)"
    yield "Without a softphone: ./offhook selftest, or a call in from the public network:"
    if first.attendant_number is not None:
        yield f"  ./offhook sandbox call --from +12065550199 --to {first.attendant_number} --dtmf 1"
    yield f"The same for programs: {plan.folder / 'sandbox.json'}   (the carrier is at {carrier.host}:{carrier.port})"


def _people(organization: SandboxOrganization) -> Iterator[str]:
    for entry in organization.users:
        user = entry.user
        password = entry.password or "(changed since)"
        yield f"  {user.extension or '':5} {user.username:8} password {password:28} {user.number or ''}"
