"""An organization as a file: written, read, compared, applied."""

import shutil
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offhook.domain.access import Role
from offhook.domain.errors import Conflict, Invalid, Stale
from offhook.domain.organizations import OrganizationId
from offhook.services.blueprint import FORMAT, Blueprint, blueprint_of, read, written
from offhook.services.differences import planned
from offhook.services.plans import apply, plan
from offhook.services.ports.store import Configured, Store
from offhook.store.transaction import Database
from tests.conftest import founded

LUMEN = """
offhook: 1
organization:
  domain: lumen.test
  name: Lumen Works
  country: US
  time_zone: America/Los_Angeles
  main_number: +12065550100
users:
  anna: {name: Anna Lind, extension: 0101, email: anna@lumen.test, role: voice}
  ben:
    name: Ben Okafor
    extension: 102
    telephones:
      - {sip_username: ben, name: Desk}
      - {sip_username: ben-2, name: Kitchen}
attendants:
  Reception:
    extension: 100
    greeting: |
      Welcome to Lumen Works.
      For Anna, press 1.
    keys: {1: anna, 0: ben}
numbers:
  +12065550100: {attendant: Reception}
  +12065550101: {user: anna}
  +12065550109:
"""


def now(store: Store, organization: OrganizationId) -> Configured:
    with store.view(organization) as transaction:
        return transaction.configured()


def test_what_is_applied_is_there_and_planning_again_finds_nothing(store: Store, lumen: OrganizationId) -> None:
    wanted = read(LUMEN)
    _, revision = apply(store, lumen, wanted, "ada")
    is_now = now(store, lumen)
    assert revision == 2 == is_now.profile.revision
    assert plan(store, lumen, wanted) == ([], 2)
    assert [(user.username, user.extension, user.role) for user in is_now.users] == [("anna", "0101", Role.VOICE), ("ben", "102", None)]
    assert [device.name for device in is_now.devices] == ["Desk", "Kitchen"]
    assert is_now.attendants[0].greeting == "Welcome to Lumen Works.\nFor Anna, press 1."
    assert is_now.profile.main_number == "+12065550100"
    assert is_now.numbers["+12065550109"] is None  # type: ignore[index]


def test_what_is_written_reads_as_the_same(store: Store, lumen: OrganizationId) -> None:
    apply(store, lumen, read(LUMEN), "ada")
    text = written(now(store, lumen))
    assert read(text) == blueprint_of(now(store, lumen))
    assert apply(store, lumen, read(text), "ada") == ([], 2)


EDITS = [
    ("extension: 102", "extension: 112", ["ben's extension 102 becomes 112"], False),
    ("    extension: 102\n", "", ["ben's extension 102 becomes none"], True),
    (", email: anna@lumen.test", "", ["anna's mail address anna@lumen.test becomes none"], True),
    ("      - {sip_username: ben-2, name: Kitchen}\n", "", ["the telephone Kitchen is removed; 1 telephone loses its registration"], True),
    ("name: Kitchen", "name: Attic", ["the telephone Kitchen is called Attic"], False),
    (", role: voice", "", ["anna's role voice becomes none"], True),
    ("role: voice", "role: reader", ["anna's role voice becomes reader"], True),
    ("role: voice", "role: global", ["anna's role voice becomes global"], False),
    ("keys: {1: anna, 0: ben}", "keys: {1: ben, 2: anna, 0: ben}", ["key 1 leads to ben instead of anna"], True),
    ("keys: {1: anna, 0: ben}", "keys: {1: anna}", ["key 0 leads to none instead of ben"], True),
    ("keys: {1: anna, 0: ben}", "keys: {1: anna, 0: ben, 2: anna}", ["key 2 leads to anna instead of none"], False),
    ("  +12065550109:\n", "", ["+12065550109, which rings nobody, is given back"], True),
    ("  +12065550109:\n", "  +12065550109: {user: ben}\n", ["+12065550109 rings ben instead of nobody"], False),
    ("+12065550101: {user: anna}", "+12065550101: {user: ben}", ["+12065550101 rings ben instead of anna"], True),
    ("+12065550101: {user: anna}", "+12065550101:", ["+12065550101 rings nobody instead of anna"], True),
    ("  main_number: +12065550100\n", "", ["main number +12065550100 becomes none"], True),
    ("name: Lumen Works", "name: Lumen", ["name Lumen Works becomes Lumen"], False),
]


@pytest.mark.parametrize(("old", "new", "said", "hurts"), EDITS)
def test_differences_are_told_in_words_and_say_what_is_lost(
    store: Store, lumen: OrganizationId, old: str, new: str, said: list[str], hurts: bool
) -> None:
    apply(store, lumen, read(LUMEN), "ada")
    assert LUMEN.count(old) == 1
    (difference,), _ = plan(store, lumen, read(LUMEN.replace(old, new)))
    assert difference.hurts is hurts
    for words in said:
        assert words in difference.words


SPELT = [
    ("+12065550109:", "+1 (206) 555-0109:"),
    ("main_number: +12065550100", "main_number: +1 206 555 0100"),
    ("  Reception:\n", "  ' Reception ':\n"),
    ("{attendant: Reception}", "{attendant: ' Reception'}"),
    ("name: Kitchen", "name: ' Kitchen '"),
    ("name: Lumen Works", "name: ' Lumen Works '"),
    ("country: US", "country: us"),
    ("    greeting: |\n", "    greeting: |+\n\n"),
]


@pytest.mark.parametrize(("old", "new"), SPELT)
def test_however_a_name_or_a_number_is_spelt_it_is_the_same(store: Store, lumen: OrganizationId, old: str, new: str) -> None:
    assert LUMEN.count(old) == 1
    assert read(LUMEN.replace(old, new)) == read(LUMEN)
    apply(store, lumen, read(LUMEN), "ada")
    assert plan(store, lumen, read(LUMEN.replace(old, new)))[0] == []


def test_two_may_change_places_and_who_goes_takes_everything_along(store: Store, lumen: OrganizationId) -> None:
    apply(store, lumen, read(LUMEN), "ada")
    swapped = (
        LUMEN.replace("extension: 100", "extension: X")
        .replace("extension: 102", "extension: 100")
        .replace("extension: X", "extension: 102")
    )
    done, _ = apply(store, lumen, read(swapped), "ada")
    assert len(done) == 2 and plan(store, lumen, read(swapped))[0] == []
    (ben,) = (difference for difference in plan(store, lumen, read(WITHOUT_BEN))[0] if difference.name == "ben")
    assert (ben.words, ben.hurts) == ("ben (Ben Okafor) is removed; 2 telephones lose their registration", True)
    apply(store, lumen, read(WITHOUT_BEN), "ada")
    assert plan(store, lumen, read(WITHOUT_BEN))[0] == []


WITHOUT_BEN = """
offhook: 1
organization: {domain: lumen.test, name: Lumen Works, country: US}
users:
  anna: {name: Anna Lind}
attendants:
  Reception: {extension: 100, greeting: Hello., keys: {1: anna}}
"""

WRONG: list[tuple[str, str, str, str]] = [
    ("extension: 102", "extension: 911", "users.ben.extension", "Line 13"),
    ("extension: 102", "extension: 100", "attendants.Reception.extension", "already"),
    ("extension: 102", "extention: 102", "users.ben.extention", "Line 13"),
    ("sip_username: ben-2", "sip_username: anna", "users.ben.telephones.1.sip_username", "already"),
    ("keys: {1: anna", "keys: {1: nobody", "attendants.Reception.keys.1", "no user nobody"),
    ("keys: {1: anna", "keys: {x: anna", "attendants.Reception.keys.x", "a key is"),
    ("+12065550101: {user: anna}", "12065550101: {user: anna}", "numbers.12065550101", "international"),
    ("{user: anna}", "{user: anna, attendant: Reception}", "numbers.+12065550101", "not both"),
    ("{user: anna}", "{user: zoe}", "numbers.+12065550101", "no user zoe"),
    ("main_number: +12065550100", "main_number: +12065550188", "organization.main_number", "not among"),
    ("role: voice", "role: emperor", "users.anna.role", "Line 10"),
    ("email: anna@lumen.test", "email: anna", "users.anna.email", "no mail address"),
    ("  ben:\n", "  Ben:\n", "users.Ben", "Line 12"),
    ("name: Kitchen", "name: ''", "users.ben.telephones.1.name", "Line 16"),
    ("  Reception:\n", "  '':\n", "attendants.", "characters"),
    (
        "  Reception:\n",
        "  ' Day': {extension: 119, greeting: Day.}\n  Day: {extension: 118, greeting: Day.}\n  Reception:\n",
        "attendants.Day",
        "twice",
    ),
    ("    greeting: |\n", '    greeting: "\\0"\n    x: |\n', "attendants.Reception.x", "misspelt"),
    (
        "greeting: |\n      Welcome to Lumen Works.\n      For Anna, press 1.",
        'greeting: "Hello\\0"',
        "attendants.Reception.greeting",
        "Line 20",
    ),
    ("greeting: |\n      Welcome to Lumen Works.\n      For Anna, press 1.", "greeting: '  '", "attendants.Reception.greeting", "spoken"),
    ("  +12065550109:\n", "  +1 206 555 0101:\n", "numbers.+1 206 555 0101", "twice"),
    ("main_number: +12065550100", "main_number: 2065550100", "organization.main_number", "international"),
    ("offhook: 1", "offhook: 2", "offhook", "Line 2"),
    ("domain: lumen.test", "domain: pine.test", "organization.domain", "pine.test"),
    ("country: US", "country: XX", "organization.country", "Line 6"),
    ("  ben:\n", "  anna:\n", "users.anna", "twice"),
    ("name: Lumen Works", "name: *x", "file", "aliases"),
    ("name: Lumen Works", "name: [Lumen", "file", "YAML"),
]


@pytest.mark.parametrize(("old", "new", "field", "said"), WRONG)
def test_what_is_wrong_is_named_with_its_line_and_nothing_is_done(
    store: Store, lumen: OrganizationId, old: str, new: str, field: str, said: str
) -> None:
    assert LUMEN.count(old) == 1
    with pytest.raises(Invalid) as refused:
        apply(store, lumen, read(LUMEN.replace(old, new)), "ada")
    assert refused.value.field == field
    assert said in refused.value.explanation
    assert now(store, lumen).profile.revision == 1


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "\x00", "offhook", "a: " * 5000, "[" * 5000, "&a [*a]", "? [x]\n: y", "- !!python/object:os.system x"]
)
def test_rubbish_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read(text)


def test_what_was_changed_since_it_was_planned_is_not_overwritten(store: Store, lumen: OrganizationId) -> None:
    _, planned_at = plan(store, lumen, read(LUMEN))
    apply(store, lumen, read(WITHOUT_BEN), "eve")
    with pytest.raises(Stale):
        apply(store, lumen, read(LUMEN), "ada", planned_at=planned_at)


def test_anothers_number_is_refused_and_nothing_is_half_done(store: Store, lumen: OrganizationId, pine: OrganizationId) -> None:
    apply(store, pine, read(WITHOUT_BEN.replace("lumen", "pine") + "numbers: {'+12065550101': }"), "paul")
    refusals = []
    for attempt in (plan, partial(apply, who="ada")):
        with pytest.raises(Conflict) as refused:
            attempt(store, lumen, read(LUMEN))
        refusals.append(str(refused.value))
    assert refusals[0] == refusals[1] and "+12065550101" in refusals[0]
    assert (now(store, lumen).users, now(store, lumen).profile.revision) == ([], 1)


def test_what_is_planned_is_taken_back(store: Store, lumen: OrganizationId) -> None:
    before = now(store, lumen)
    found, revision = plan(store, lumen, read(LUMEN))
    assert (len(found), revision) == (7, before.profile.revision)
    assert now(store, lumen) == before
    with store.view(lumen) as transaction:
        assert [change.revision for change in transaction.history.since(0)] == [1]


USERNAMES, EXTENSIONS = ["anna", "ben", "chloe", "dan"], ["100", "101", "102", "103", "104"]
NUMBERS = [f"+1206555010{digit}" for digit in range(4)]


@st.composite
def organizations(draw: st.DrawFn) -> Blueprint:
    names = draw(st.lists(st.sampled_from(USERNAMES), unique=True))
    titles = draw(st.lists(st.sampled_from(["Day", "Night"]), unique=True))
    free = draw(st.permutations(EXTENSIONS))
    extensions = iter([*free, *(str(extra) for extra in range(200, 210))])
    text = st.text("abcäé '\":#-{}\n", min_size=1, max_size=12).map(lambda words: f"x{words}x")
    plain = text.map(lambda words: words.replace("\n", " "))
    users: dict[str, Any] = {}
    for name in names:
        telephones = sorted(draw(st.lists(st.sampled_from([name, f"{name}-2"]), unique=True)))
        users[name] = {
            "name": draw(plain),
            "extension": (draw(st.booleans()) and next(extensions)) or None,
            "role": draw(st.sampled_from([None, *Role])),
            "telephones": [{"sip_username": each, "name": draw(plain)} for each in telephones],
        }
    keys = st.dictionaries(st.sampled_from("0129*#"), st.sampled_from(names), max_size=3) if names else st.just({})
    attendants = {title: {"extension": next(extensions), "greeting": draw(text), "keys": draw(keys)} for title in titles}
    targets = [{}, *({"user": name} for name in names), *({"attendant": title} for title in titles)]
    numbers = draw(st.dictionaries(st.sampled_from(NUMBERS), st.sampled_from(targets)))
    main_number = draw(st.sampled_from([None, *numbers]))
    own = {"domain": "lumen.test", "name": draw(plain), "country": "US", "main_number": main_number}
    return Blueprint.model_validate({"offhook": FORMAT, "organization": own, "users": users, "attendants": attendants, "numbers": numbers})


@given(first=organizations(), second=organizations())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_from_any_organization_to_any_other_in_one_revision(migrated_file: Path, first: Blueprint, second: Blueprint) -> None:
    with TemporaryDirectory() as folder:
        store = Database.at(f"sqlite:///{shutil.copy(migrated_file, folder)}")
        lumen = founded(store, "Lumen Works", "lumen.test")
        apply(store, lumen, first, "ada")
        before = now(store, lumen)
        assert read(written(before)) == blueprint_of(before)
        done, revision = apply(store, lumen, second, "ada")
        after = now(store, lumen)
        assert revision == before.profile.revision + bool(done)
        assert plan(store, lumen, second)[0] == []
        assert {user.username: user.id for user in before.users if user.username in second.users}.items() <= {
            user.username: user.id for user in after.users
        }.items()
        assert blueprint_of(planned(before, second)) == blueprint_of(after)
        with store.view(lumen) as transaction:
            assert blueprint_of(transaction.configured(before.profile.revision)) == blueprint_of(before)
        store.close()
