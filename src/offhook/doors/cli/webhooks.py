"""Commands about webhooks, where programs are told what happens, and about what goes on now."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from offhook.doors.cli import completion, shown, things
from offhook.doors.cli.asking import DryRun, Json, Version, Yes, noun, server_of
from offhook.doors.cli.server import Exit, Failed
from offhook.doors.cli.things import How, Limit, Noun, Search, Sort

WEBHOOKS = Noun("/webhooks", "webhooks", "webhook", ("id", "url", "events", "enabled"), "id")
_DELIVERY = ("id", "event", "kind", "state", "attempts", "made_at", "last_status", "last_error")

webhooks = noun("Where programs are told what happens.")

Webhook = Annotated[int, typer.Argument(min=1, help="Its id.", autocompletion=completion.webhooks)]
_EVENT = "Such as call.began, call.answered, call.ended, user.changed; user.* for all of a kind, * for all; several times for several."

Events = Annotated[list[str] | None, typer.Option("--event", help=_EVENT, autocompletion=completion.events)]


@webhooks.command("list")
def list_webhooks(context: typer.Context, search: Search = None, sort: Sort = None, limit: Limit = None, as_json: Json = False) -> None:
    """List webhooks."""
    things.listed(context, WEBHOOKS, How(as_json), limit, q=search, sort=sort)


@webhooks.command("show")
def show_webhook(context: typer.Context, webhook: Webhook, as_json: Json = False) -> None:
    """Show one of them."""
    things.show(context, WEBHOOKS, webhook, How(as_json))


@webhooks.command("add")
def add_webhook(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="Where to post.")],
    events: Annotated[list[str], typer.Option("--event", help=_EVENT, autocompletion=completion.events)],
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Have a program told what happens, and show the secret that signs it once."""
    made = things.add(context, WEBHOOKS, {"url": url, "events": events}, How(as_json, dry_run), words=f"tell {url} of {', '.join(events)}")
    if made is not None:
        _tell_secret(made, as_json=as_json)


@webhooks.command("change")
def change_webhook(
    context: typer.Context,
    webhook: Webhook,
    url: Annotated[str | None, typer.Option(help="Where to post.")] = None,
    events: Events = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it is told anything.")] = None,
    version: Version = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Give a webhook another address or other events, or disable or enable it."""
    body = {"url": url, "events": events or None, "enabled": enabled}
    things.change(context, WEBHOOKS, webhook, body, How(as_json, dry_run, version=version))


@webhooks.command("remove")
def remove_webhook(
    context: typer.Context, webhook: Webhook, version: Version = None, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Tell that program nothing more."""
    server = server_of(context)
    one, etag = things.looked_at(server, WEBHOOKS, webhook)
    waiting = things.every(server, WEBHOOKS.at(webhook) + "/deliveries", "deliveries", state="waiting")["deliveries"]
    losses = [f"{one['url']} is told nothing more", *([f"{len(waiting)} deliveries that wait"] if waiting else [])]
    things.remove(context, WEBHOOKS, webhook, losses, How(as_json, dry_run, yes, version), etag)


@webhooks.command("secret")
def new_secret(context: typer.Context, webhook: Webhook, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Sign with another secret from now on, and show it once."""
    server = server_of(context)
    one, _ = things.looked_at(server, WEBHOOKS, webhook)
    path, said = WEBHOOKS.at(webhook) + "/secret", f"sign what is sent to webhook {webhook} with another secret"
    made = things.ordered(server, path, said, [f"the secret by which {one['url']} knows it is us"], How(as_json, dry_run, yes))
    if made is not None:
        _tell_secret(made, as_json=as_json)


@webhooks.command("test")
def test_webhook(context: typer.Context, webhook: Webhook, as_json: Json = False) -> None:
    """Post something that did not happen; `offhook webhooks deliveries` tells what came of it."""
    _tell_delivery(server_of(context).post(WEBHOOKS.at(webhook) + "/test"), as_json=as_json)


@webhooks.command("deliveries")
def list_deliveries(
    context: typer.Context,
    webhook: Webhook,
    state: Annotated[str | None, typer.Option(help="Only those that are waiting, delivered or failed.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only what tells of this, such as user.changed.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List what it was told, newest first, and what waits."""
    noun_of_them = Noun(WEBHOOKS.at(webhook) + "/deliveries", "deliveries", "delivery", _DELIVERY, "id")
    things.listed(context, noun_of_them, How(as_json), limit, state=state, kind=kind, sort="-id")


@webhooks.command("again")
def deliver_again(
    context: typer.Context,
    webhook: Webhook,
    delivery: Annotated[int, typer.Argument(min=1, help="Its id, as `deliveries` lists it.")],
    as_json: Json = False,
) -> None:
    """Deliver once more what was delivered or has failed."""
    _tell_delivery(server_of(context).post(f"{WEBHOOKS.at(webhook)}/deliveries/{delivery}/again"), as_json=as_json)


def events(
    context: typer.Context,
    of: Annotated[list[str] | None, typer.Option("--of", help="Only of call or job; both if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Tell of calls and jobs as they happen, a line each, until Ctrl-C."""
    try:
        with server_of(context).lines("/events", "text/event-stream", of=of or None) as lines:
            name = ""
            for line in lines:
                field, _, value = line.partition(":")
                if field == "event":
                    name = value.strip()
                elif field == "data":
                    _tell_event(name, json.loads(value), as_json=as_json)
    except KeyboardInterrupt:
        return
    raise Failed("The stream of events ended; the token may have expired, or the system was stopped.", Exit.NOT_ALL_WELL)


def _tell_event(name: str, data: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"event": name, "data": data}, ensure_ascii=False))
        return
    typer.echo(shown.clean(f"{name}: {_in_words(data)}".replace("\n", " ")))


def _in_words(data: Mapping[str, Any]) -> str:
    """What an event tells: of a call and a job what people look for, of all else every member."""
    match data:
        case {"calls": list(calls)}:
            return f"calls that go on: {len(calls) if data.get('live_known', True) else 'not known, the switch does not answer'}"
        case {"call": {"call": id, "caller": caller, "dialled": dialled, "connected": connected, "state": state}}:
            return f"{id} {caller} -> {dialled}{f' ({connected})' if connected else ''}: {state}"
        case {"job": {"id": id, "kind": kind, "state": state, "done": done, "total": total}}:
            return f"{id} {kind}: {state}, {done} of {total} rows"
    return "; ".join(f"{member.replace('_', ' ')} {shown.member(member, value)}" for member, value in data.items())


def _tell_secret(made: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        shown.print_json(made)
        return
    things.tell(made["webhook"] | {"secret": made["secret"]})
    shown.note("The secret is not shown again.")


def _tell_delivery(delivery: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        shown.print_json(delivery)
    else:
        things.tell({name: value for name, value in delivery.items() if name != "body"})
