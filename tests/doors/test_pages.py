"""The pages for people."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from httpx import Response

from offhook.domain.errors import Unavailable
from offhook.doors.api.words import ENGLISH, FRENCH, WORDS, language_of
from offhook.services.invitations import Invitee, invite, invite_administrator
from offhook.store.transaction import Database
from tests.doors.rooms import World

MAPLE = {"name": "Maple <Workshop>", "domain": "Maple.Test", "country": "CA", "time_zone": "America/Toronto"}


class Elements(HTMLParser):
    """The elements of a page, with their attributes; fails on what is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "input"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in tags]


async def got(world: World, path: str, language: str = "en") -> Response:
    async with world.client(None, **{"Accept-Language": language}) as client:
        return await client.get(path)


async def sent(world: World, path: str, form: dict[str, str], language: str = "en") -> Response:
    async with world.client(None, **{"Accept-Language": language}) as client:
        return await client.post(path, data=form)


def token_on(page: str) -> str:
    found = re.search(r'<pre class="token">([^<]+)</pre>', page)
    assert found, page
    return found[1]


async def test_an_invitation_creates_an_organization_and_shows_its_token_once(world: World) -> None:
    path = f"/welcome/{invite(world.database)}"
    page = await sent(world, path, MAPLE)
    assert page.status_code == 200
    assert "Maple &lt;Workshop&gt; is created" in page.text
    async with world.client(token_on(page.text)) as client:
        organization = (await client.get("/api/v1/organization")).json()
    assert [organization[name] for name in MAPLE] == ["Maple <Workshop>", "maple.test", "CA", "America/Toronto"]
    assert world.switch.refreshed == 1

    again = await sent(world, path, MAPLE | {"domain": "other.test"})
    assert again.status_code == 404
    assert unescape(again.text).find(ENGLISH["thing.missing token"]) > 0


@pytest.mark.parametrize(
    ("form", "status", "field", "words"),
    [
        (MAPLE | {"domain": "lumen.test"}, 409, "domain", "thing.taken domain"),
        (MAPLE | {"domain": "nonsense"}, 422, "domain", "value.invalid domain"),
        (MAPLE | {"name": " "}, 422, "name", "value.invalid name"),
        (MAPLE | {"country": "XX"}, 422, "country", "value.invalid country"),
        (MAPLE | {"time_zone": "Mars/Olympus"}, 422, "time_zone", "value.invalid time_zone"),
        ({}, 422, "name", "value.invalid name"),
    ],
)
@pytest.mark.parametrize("language", WORDS)
async def test_a_form_that_cannot_be_taken_says_why_keeps_what_was_typed_and_the_invitation(
    world: World, form: dict[str, str], status: int, field: str, words: str, language: str
) -> None:
    path = f"/welcome/{invite(world.database)}"
    page = await sent(world, path, form, language)
    assert page.status_code == status
    assert WORDS[language][words] in unescape(page.text)
    elements = Elements(page.text)
    (wrong,) = [entry for entry in elements.all("input", "select") if entry.get("aria-invalid")]
    assert wrong["name"] == field
    assert "error" in (wrong["aria-describedby"] or "").split()
    typed = {entry["name"]: entry.get("value") for entry in elements.all("input")}
    assert typed["domain"] == form.get("domain", "")
    assert (await sent(world, path, MAPLE)).status_code == 200


async def test_files_and_nonsense_sent_as_a_form_are_refused_like_empty_fields(world: World) -> None:
    async with world.client(None) as client:
        answer = await client.post(f"/welcome/{invite(world.database)}", files={"name": ("x.txt", b"hello")})
    assert answer.status_code == 422


def form_of(world: World, kind: str) -> str:
    """Where a form stands: that of the first start, or one into an organization that is there."""
    into = invite_administrator(world.database, world.lumen.profile.id, Invitee(), "provider").token
    return f"/welcome/{invite(world.database) if kind == 'found' else into}"


@pytest.mark.parametrize("kind", ["found", "join"])
async def test_every_field_has_a_label_and_a_hint_and_the_page_a_title_and_a_language(world: World, kind: str) -> None:
    page = await got(world, form_of(world, kind), "fr-CA,fr;q=0.8")
    assert page.status_code == 200
    elements = Elements(page.text)
    labels = {entry["for"] for entry in elements.all("label")}
    ids = {attributes["id"] for _, attributes in elements.found if "id" in attributes}
    for entry in elements.all("input", "select"):
        assert entry["id"] in labels
        assert set((entry["aria-describedby"] or "").split()) <= ids
    assert elements.all("html") == [{"lang": "fr"}]
    assert page.headers["content-language"] == "fr"
    assert len(elements.all("h1")) == 1
    assert kind == "join" or page.text.index("États-Unis") < page.text.index("Uruguay")


@pytest.mark.parametrize("path", ["/", "/api", "found", "join"])
@pytest.mark.parametrize("language", WORDS)
async def test_a_page_brings_no_script_nothing_from_elsewhere_no_cookie_and_says_so_to_the_browser(
    world: World, path: str, language: str
) -> None:
    page = await got(world, path if path.startswith("/") else form_of(world, path), language)
    assert page.status_code == 200
    elements = Elements(page.text)
    assert elements.all("script", "img", "iframe") == []
    links = [entry.get("href") or "" for entry in elements.all("a", "link")]
    assert links
    assert all(link.startswith("/") and not link.startswith("//") for link in links)
    assert "set-cookie" not in page.headers
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert elements.all("html") == [{"lang": language}]


async def test_every_link_of_the_pages_leads_somewhere(world: World) -> None:
    for path in ("/", "/api"):
        for entry in Elements((await got(world, path)).text).all("a", "link"):
            assert (await got(world, entry["href"] or "")).status_code == 200


async def test_the_page_of_the_api_lists_every_endpoint_with_what_it_does(world: World) -> None:
    page = unescape((await got(world, "/api")).text)
    assert "<code>organization:read</code>" in page
    page = page.replace("<code>", "`").replace("</code>", "`")
    for path, methods in world.app.openapi()["paths"].items():
        for method, offer in methods.items():
            assert f"`{method.upper()} {path}`" in page
            assert offer["description"] in page


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
async def test_the_frameworks_own_pages_are_off(world: World, path: str) -> None:
    assert (await got(world, path)).status_code == 404


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        ("", "en"), ("fr", "fr"), ("fr-CA", "fr"), ("de, fr;q=0.5, en;q=0.9", "en"), ("en;q=0.1,fr;q=0.2", "fr"),
        ("fr;q=0", "en"), ("*", "en"), (";;;,q=,fr;q=x", "en"), ("x" * 5000, "en"),
    ],
)  # fmt: skip
def test_the_language_is_the_one_the_browser_likes_best(wish: str, language: str) -> None:
    assert language_of(wish) == language


def test_in_french_no_line_begins_with_a_mark() -> None:
    assert not [text for text in FRENCH.values() if re.search(r" [;:!?»]|« ", text)]
    assert "\N{NO-BREAK SPACE};" in FRENCH["time_zone_hint"]


@pytest.mark.parametrize("language", WORDS)
async def test_a_link_that_cannot_be_looked_at_now_stays_good_and_says_so(
    world: World, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/welcome/{invite(world.database)}"

    def away(*_: Any) -> None:
        raise Unavailable("The database does not answer.")

    with monkeypatch.context() as without:
        without.setattr(Database, "provider_view", away)
        for page in (await got(world, path, language), await sent(world, path, MAPLE, language)):
            assert page.status_code == 503 and page.headers["content-type"].startswith("text/html")
            assert WORDS[language]["system.unavailable None"] in unescape(page.text)
    with monkeypatch.context() as without:
        without.setattr(Database, "provider_change", away)
        page = await sent(world, path, MAPLE, language)
        assert page.status_code == 503 and WORDS[language]["system.unavailable None"] in unescape(page.text)
    assert (await sent(world, path, MAPLE, language)).status_code == 200


def test_both_languages_say_the_same_things_with_the_same_blanks() -> None:
    blanks = re.compile(r"{\w+}")
    assert {key: sorted(blanks.findall(text)) for key, text in ENGLISH.items()} == {
        key: sorted(blanks.findall(text)) for key, text in FRENCH.items()
    }


async def test_the_page_to_try_the_api_with_has_all_it_needs_here_and_nothing_inline(world: World) -> None:
    page = await got(world, "/api/docs")
    elements = Elements(page.text)
    parts = [entry.get("src") or entry.get("href") or "" for entry in elements.all("script", "link")]
    assert len(parts) == 4
    for part in parts:
        assert part.startswith("/api/docs/")
        answer = await got(world, part)
        assert answer.status_code == 200 and len(answer.content) > 20, part
    policy = dict(each.strip().split(" ", 1) for each in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert all("src" in entry for entry in elements.all("script")) and elements.all("style") == []
    assert "<noscript>" in page.text


@pytest.mark.parametrize("part", ["docs.html", "main.py", "..%2f..%2fapp.py", "style.css", "swagger-ui.css.map"])
async def test_nothing_else_of_the_packages_is_handed_out(world: World, part: str) -> None:
    assert (await got(world, f"/api/docs/{part}")).status_code == 404
