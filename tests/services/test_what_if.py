"""Where calls would go, without a call."""

from dataclasses import replace

import pytest

from offhook.domain.calls.call import Call
from offhook.domain.calls.entering import enter
from offhook.domain.calls.events import CallArrived
from offhook.domain.calls.ids import CallId, leg_id
from offhook.domain.errors import Invalid, Missing
from offhook.domain.media import MediaFigures
from offhook.domain.numbers import E164
from offhook.domain.organizations import OrganizationId
from offhook.domain.routing import Caller, Source, route
from offhook.services.blueprint import read, written
from offhook.services.ports.store import Store
from offhook.services.sandbox import SandboxSummary, seed
from offhook.services.users import change_user
from offhook.services.what_if import caller_and_dialled, caller_named, organization_as, organization_planned, replay, what_if
from offhook.store.records import RecordsWriter
from offhook.store.transaction import Database
from offhook.switch.trace import Story
from tests.fakes import world
from tests.store.finished import MORNING, finished

OUTSIDE = E164("+12125550123")
ANNA, CARRIER = Caller(Source.PHONE, "anna", "lumen.test", address="a telephone"), Caller(Source.CARRIER, number=OUTSIDE, address="x")


@pytest.fixture
def sandbox(store: Store) -> SandboxSummary:
    return seed(store, b"key", "127.0.0.9", 5080)


@pytest.fixture
def own(sandbox: SandboxSummary) -> OrganizationId:
    return sandbox.first.profile.id


CASES = [
    ("anna", "102", ("user", "ben")),
    ("101", "100", ("attendant", "Reception")),
    ("+12065550102", "101", ("user", "anna")),
    ("anna", "911", ("out", "911", "sandbox", "+12065550101")),
    ("anna", "2125550123", ("out", "+12125550123", "sandbox", "+12065550101")),
    (OUTSIDE, "+12065550102", ("user", "ben")),
    (OUTSIDE, "+15035550101", ("refused", "number.not_assigned")),
    ("anna", "hello", ("refused", "number.unreadable")),
]


@pytest.mark.parametrize(("who", "dialled", "way"), CASES)
def test_it_is_the_switchs_own_decision(store: Store, own: OrganizationId, who: str, dialled: str, way: tuple[str, ...]) -> None:
    organization = organization_as(store, own)
    answer = what_if(organization, who, dialled)
    assert (answer.way, answer.revision) == (way, organization.revision)
    asked = organization if E164(dialled) != "+15035550101" else None
    assert answer.reasons == route(asked, caller_named(organization, who), dialled).reasons


@pytest.mark.parametrize(
    ("who", "said"), [("zoe", "no username"), ("100", "attendant"), ("+12065550100", "attendant"), ("", "no username")]
)
def test_who_cannot_call_is_said(store: Store, own: OrganizationId, who: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        what_if(organization_as(store, own), who, "101")
    assert refused.value.field == "from"


def test_an_earlier_revision_decides_as_it_did(store: Store, own: OrganizationId) -> None:
    before = organization_as(store, own)
    change_user(store, own, "ben", {"extension": "112"}, who="ada")
    assert what_if(organization_as(store, own), "anna", "102").way[0] == "refused"
    then = organization_as(store, own, revision=before.revision)
    assert (what_if(then, "anna", "102").way, then.revision) == (("user", "ben"), before.revision)
    assert then == before
    with store.view(own) as transaction:
        changed_at = transaction.history.since(before.revision)[0].at
    assert organization_as(store, own, at=changed_at - 0.001).revision == before.revision
    with pytest.raises(Missing):
        organization_as(store, own, revision=before.revision + 2)
    with pytest.raises(Missing):
        organization_as(store, own, at=1.0)


def planned_without_102(store: Store, own: OrganizationId) -> str:
    with store.view(own) as transaction:
        return written(transaction.configured()).replace("extension: '102'", "extension: '112'")


def test_a_plan_decides_as_it_would_once_applied(store: Store, own: OrganizationId) -> None:
    plan = organization_planned(store, own, read(planned_without_102(store, own)))
    assert what_if(plan, "anna", "112", is_planned=True).way == ("user", "ben")
    assert what_if(plan, "anna", "112", is_planned=True).revision is None
    with pytest.raises(Invalid, match=r"pine\.test"):
        organization_planned(store, own, read("offhook: 1\norganization: {domain: pine.test, name: Pine, country: US}"))


@pytest.mark.parametrize("caller", [ANNA, CARRIER, replace(ANNA, private=True), replace(ANNA, source=Source.EMERGENCY)])
def test_a_story_says_who_called_what(caller: Caller) -> None:
    story = Story()
    story.happened(1.0, CallArrived(world.at(1), leg_id(CallId("c"), 0), caller, "102", world.sdp()))
    assert caller_and_dialled(story.told(Call(CallId("c"), enter), MediaFigures())) == (caller, "102")


def called(database: Database, own: OrganizationId, *calls: tuple[Caller, str]) -> None:
    writer = RecordsWriter(database.engine)
    for number, (caller, dialled) in enumerate(calls):
        cdr, trace = finished(number, own)
        detail = {"caller": {name: getattr(caller, name) for name in Caller.__slots__}, "dialled": dialled}
        step = {"at": 1.0, "kind": "event", "name": "CallArrived", "leg": None, "detail": detail}
        writer.keep(cdr, trace | {"caller": caller.username, "steps": [step] if dialled else []})
    assert writer.close() == 0


def test_a_replay_lists_the_calls_that_would_go_elsewhere(store: Store, database: Database, own: OrganizationId) -> None:
    called(database, own, (ANNA, "102"), (ANNA, "103"), (CARRIER, "+12065550102"), (ANNA, ""), (ANNA, "102"))
    wanted = read(planned_without_102(store, own))
    found = replay(store, own, wanted, since=0)
    assert (found.looked_at, found.unreadable, found.more) == (5, 1, False)
    assert [(each.dialled, each.now.way, each.then.way[0]) for each in found.changed] == [("102", ("user", "ben"), "refused")] * 2
    assert replay(store, own, wanted, since=MORNING / 1000 + 4).looked_at == 1
    assert replay(store, own, wanted, since=0, most_changed=1).more
    with store.view(own) as transaction:
        same = read(written(transaction.configured()))
    assert replay(store, own, same, since=0).changed == ()


def test_another_organizations_calls_are_not_replayed(store: Store, database: Database, sandbox: SandboxSummary) -> None:
    called(database, sandbox.others[0].profile.id, (ANNA, "102"))
    own = sandbox.first.profile.id
    assert replay(store, own, read(planned_without_102(store, own)), since=0).looked_at == 0
