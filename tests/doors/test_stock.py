"""The stock of numbers at the door: the provider's own, and what an organization may take of it."""

from typing import Any

import pytest
from httpx import AsyncClient, Response

from offhook.domain.access import SCOPES_OF, Role
from offhook.services.stock import MOST_AT_ONCE
from tests.doors.rooms import World
from tests.doors.test_invitations import provider
from tests.doors.test_refusals import problem

__all__ = ["provider"]

NEW = "+13125550100"
STOCK = "/provider/stock"
CSV = {"Content-Type": "text/csv"}


async def stock(provider: AsyncClient, **asked: Any) -> list[str]:
    return [each["number"] for each in (await provider.get(STOCK, params={"limit": 500} | asked)).json()["stock"]]


async def told(provider: AsyncClient) -> list[Any]:
    return list((await provider.get("/provider/history", params={"kind": "stock_number", "limit": 500})).json()["changes"])


async def test_a_number_enters_is_withheld_released_and_leaves(provider: AsyncClient) -> None:
    made = await provider.post(STOCK, json={"number": "+1 (312) 555-0100", "locality": " Chicago "})
    assert (made.status_code, made.headers["location"]) == (201, f"/api/v1{STOCK}/{NEW}")
    assert made.json()["number"] == {
        "number": NEW, "state": "free", "carrier": None, "country": "US", "kind": "geographic", "locality": "Chicago",
        "withheld": None, "organization": None, "domain": None, "version": made.json()["revision"],
    }  # fmt: skip
    looked = await provider.get(f"{STOCK}/{NEW}")
    assert looked.headers["etag"] == made.headers["etag"]
    assert (await provider.get(f"{STOCK}/{NEW}", headers={"If-None-Match": looked.headers["etag"]})).status_code == 304
    withheld = await provider.patch(f"{STOCK}/{NEW}", json={"withheld": "kept"}, headers={"If-Match": looked.headers["etag"]})
    assert (withheld.json()["number"]["state"], withheld.json()["number"]["withheld"]) == ("withheld", "kept")
    stale = problem(await provider.delete(f"{STOCK}/{NEW}", headers={"If-Match": looked.headers["etag"]}))
    assert (stale["status"], stale["code"]) == (412, "thing.stale")
    same = await provider.patch(f"{STOCK}/{NEW}", json={"withheld": "kept"})
    assert same.json()["revision"] is None and same.headers["etag"] == withheld.headers["etag"]
    released = (await provider.patch(f"{STOCK}/{NEW}", json={"withheld": None, "kind": "national", "carrier": "sandbox"})).json()["number"]
    assert (released["state"], released["kind"], released["carrier"]) == ("free", "national", "sandbox")
    assert (await provider.delete(f"{STOCK}/{NEW}")).status_code == 200
    assert problem(await provider.delete(f"{STOCK}/{NEW}"))["code"] == "thing.missing"
    lines = (await provider.get("/provider/history", params={"id": NEW})).json()["changes"]
    assert [(line["kind"], line["after"] and line["after"]["withheld"], line["who"]) for line in lines] == [
        ("stock_number", None, "provider"),
        ("stock_number", None, "provider"),
        ("stock_number", "kept", "provider"),
        ("stock_number", None, "provider"),
    ]


async def test_the_provider_sees_who_has_a_number_and_no_tenant_does(world: World, provider: AsyncClient) -> None:
    pine = world.pine.profile.id
    shown = (await provider.get(f"{STOCK}/+15035550101")).json()
    assert (shown["state"], shown["organization"], shown["domain"]) == ("in_use", pine, "pine.test")
    assert await stock(provider, organization=pine) == ["+15035550101"]
    assert await stock(provider, organization=pine, state="free") == []
    in_use = await stock(provider, state="in_use")
    assert {"+12065550100", "+12065550103", "+15035550101"} <= set(in_use) and "+12065550104" not in in_use
    refused = problem(await provider.delete(f"{STOCK}/+15035550101"))
    assert (refused["status"], refused["code"], refused["field"]) == (409, "number.in_use", "number")
    async with world.client(world.lumen.token) as lumen:
        assert problem(await lumen.get(f"/api/v1{STOCK}"))["code"] == "access.not_the_provider"
        free = (await lumen.get("/api/v1/numbers/available", params={"limit": 500})).json()["numbers"]
    assert [each["number"] for each in free] == await stock(provider, state="free")
    assert free[0] == {"number": "+12065550104", "country": "US", "kind": "geographic", "locality": None}
    assert "pine" not in str(free) and "carrier" not in str(free)


async def test_what_is_taken_is_available_no_more_and_what_is_given_back_is_again(world: World, provider: AsyncClient) -> None:
    async with world.client(world.lumen.token) as lumen, world.client(world.pine.token) as pine:

        async def free(prefix: str = "+12065550142") -> list[str]:
            found = (await pine.get("/api/v1/numbers/available", params={"prefix": prefix})).json()["numbers"]
            return [each["number"] for each in found]

        assert await free() == ["+12065550142"]
        assert (await lumen.post("/api/v1/numbers", json={"number": "+12065550142"})).status_code == 201
        assert await free() == []
        refused = problem(await pine.post("/api/v1/numbers", json={"number": "+12065550142"}))
        assert (refused["status"], refused["code"], refused["field"]) == (409, "number.not_available", "number")
        assert (await lumen.delete("/api/v1/numbers/+12065550142")).status_code == 200
        assert await free() == ["+12065550142"]
        await provider.patch(f"{STOCK}/+12065550142", json={"withheld": "quarantine"})
        assert await free() == []
        assert problem(await lumen.post("/api/v1/numbers", json={"number": "+12065550142"}))["code"] == "number.not_available"


async def test_a_page_leads_to_the_next_and_filters_hold(world: World) -> None:
    async with world.client(world.lumen.token) as lumen:
        found: list[str] = []
        asked: dict[str, Any] = {"limit": 7, "prefix": "+1206", "country": "US", "kind": "geographic", "sort": "-number"}
        while asked.get("cursor", "") is not None:
            page = (await lumen.get("/api/v1/numbers/available", params=asked)).json()
            found += [each["number"] for each in page["numbers"]]
            asked["cursor"] = page["next"]
        assert found == [f"+120655501{last:02}" for last in range(89, 3, -1)]
        for nothing in ({"country": "CA"}, {"kind": "mobile"}, {"prefix": "+44"}):
            assert (await lumen.get("/api/v1/numbers/available", params=nothing)).json() == {"numbers": [], "next": None}


@pytest.mark.parametrize(("role", "status"), [("global", 200), ("voice", 200), ("help_desk", 403), ("reader", 403), ("billing", 403)])
async def test_only_who_may_write_numbers_looks_for_some(world: World, role: str, status: int) -> None:
    async with world.client(world.lumen.token) as lumen:
        made = await lumen.post("/api/v1/tokens", json={"label": role, "scopes": sorted(SCOPES_OF[Role(role)])})
    async with world.client(made.json()["token"]) as client:
        assert (await client.get("/api/v1/numbers/available")).status_code == status


async def test_a_range_enters_whole_or_not_at_all(provider: AsyncClient) -> None:
    await provider.post(STOCK, json={"number": "+13125550105"})
    before = await told(provider)
    asked = {"first": "+13125550100", "last": "+13125550109", "locality": "Chicago"}
    refused = problem(await provider.post(f"{STOCK}/range", json=asked))
    assert (refused["status"], refused["code"], refused["field"]) == (409, "thing.taken", "first") and "+13125550105" in refused["detail"]
    assert await told(provider) == before and await stock(provider, prefix="+1312555010") == ["+13125550105"]
    skipped = await provider.post(f"{STOCK}/range", json=asked | {"on_existing": "skip"})
    assert skipped.status_code == 201 and skipped.json()["results"] == {"created": 9, "skipped": 1}
    assert len({line["revision"] for line in await told(provider)} - {line["revision"] for line in before}) == 1
    changed = (await provider.post(f"{STOCK}/range", json=asked | {"on_existing": "change"})).json()
    assert changed["results"] == {"changed": 1, "unchanged": 9}
    assert (await provider.get(f"{STOCK}/+13125550105")).json()["locality"] == "Chicago"
    again = (await provider.post(f"{STOCK}/range", json=asked | {"on_existing": "change"})).json()
    assert (again["results"], again["revision"]) == ({"unchanged": 10}, None)


WRONG = [
    ("post", "", {"number": "206 555 0100"}, 422, "value.invalid", "number"),
    ("post", "", {"number": "+12065550100"}, 409, "thing.taken", "number"),
    ("post", "", {"number": NEW, "carrier": "west"}, 404, "thing.missing", "carrier"),
    ("post", "", {"number": NEW, "country": "DE"}, 422, "value.invalid", "country"),
    ("post", "", {"number": NEW, "country": "XX"}, 422, "value.invalid", "country"),
    ("post", "", {"number": NEW, "kind": "odd"}, 422, "value.invalid", "kind"),
    ("post", "", {"number": NEW, "locality": "a\x07"}, 422, "value.invalid", "locality"),
    ("post", "", {"number": "+12000000000", "country": "US"}, 422, "value.invalid", "kind"),
    ("post", "", {"number": "+80012345678"}, 422, "value.invalid", "country"),
    ("post", "/range", {"first": NEW, "last": "+1312555010"}, 422, "value.invalid", "last"),
    ("post", "/range", {"first": NEW, "last": "+13125550099"}, 422, "value.invalid", "last"),
    ("post", "/range", {"first": NEW, "last": "+13125560100"}, 422, "value.invalid", "last"),
    ("post", "/range", {"first": "x", "last": NEW}, 422, "value.invalid", "first"),
    ("post", "/range", {"first": NEW, "last": NEW, "on_existing": "x"}, 422, "value.invalid", "on_existing"),
    ("patch", "/+12065550104", {"carrier": "west"}, 404, "thing.missing", "carrier"),
    ("patch", "/+12065550104", {"withheld": " "}, 422, "value.invalid", "withheld"),
    ("patch", "/+12065550104", {"withheld": "x" * 201}, 422, "value.invalid", "withheld"),
    ("patch", "/+12065550104", {"number": NEW}, 422, "value.invalid", "number"),
    ("patch", f"/{NEW}", {"locality": "x"}, 404, "thing.missing", "number"),
    ("get", f"/{NEW}", None, 404, "thing.missing", "number"),
    ("get", "?prefix=1206", None, 422, "value.invalid", "prefix"),
    ("get", "?state=lost", None, 422, "value.invalid", "state"),
    ("get", "?sort=version", None, 422, "value.invalid", "sort"),
    ("get", "?cursor=x", None, 422, "value.invalid", "cursor"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code", "field"), WRONG)
async def test_what_cannot_be_is_refused_with_the_field_and_leaves_no_line(
    provider: AsyncClient, method: str, path: str, body: Any, status: int, code: str, field: str
) -> None:
    before = await told(provider)
    refused = problem(await provider.request(method, STOCK + path, json=body))
    assert (refused["status"], refused["code"], refused["field"]) == (status, code, field), refused
    assert await told(provider) == before


async def test_what_is_said_goes_before_the_numbering_plan(provider: AsyncClient) -> None:
    said = {"number": "+12000000000", "country": "ca", "kind": "mobile", "carrier": None}
    made = (await provider.post(STOCK, json=said)).json()["number"]
    assert (made["country"], made["kind"], made["carrier"]) == ("CA", "mobile", None)
    await provider.post("/carriers", json={"name": "north", "address": "192.0.2.5"})
    derived = {}
    for number in ("+18005550107", "+447400123456", "+493012345678", "+33810123456"):
        shown = (await provider.post(STOCK, json={"number": number})).json()["number"]
        derived[number] = (shown["country"], shown["kind"], shown["carrier"])
    assert derived == {
        "+18005550107": ("US", "toll_free", "north"),
        "+447400123456": ("GB", "mobile", "north"),
        "+493012345678": ("DE", "geographic", "north"),
        "+33810123456": ("FR", "national", "north"),
    }


async def sent(provider: AsyncClient, text: str | bytes, **asked: Any) -> Response:
    return await provider.post(f"{STOCK}/import", content=text, params=asked, headers=CSV)


FILE = """e164;carrier;country;kind;locality
'+13125550100;sandbox;;;Chicago
+13125550101;;;toll-free;
+1 312 555 0100;;;;
+13125550102;west;;;
12;;;;
+12000000000;;;;
+13125550103;;DE;odd;
+13125550104;;
+12065550104;sandbox;;;Seattle
+12065550105;sandbox;;;
"""


async def test_of_a_file_each_row_has_its_result_and_one_bad_row_stops_nothing(provider: AsyncClient) -> None:
    before = await told(provider)
    tried = (await sent(provider, FILE, dry_run=True)).json()
    assert await told(provider) == before and tried["revision"] is None
    done = (await sent(provider, FILE)).json()
    assert {name: value for name, value in done.items() if name not in ("revision", "dry_run")} == {
        name: value for name, value in tried.items() if name not in ("revision", "dry_run")
    }
    assert (done["encoding"], done["delimiter"]) == ("UTF-8", "semicolon")
    assert done["results"] == {"created": 2, "changed": 1, "unchanged": 1, "refused": 6}
    rows = [(row["row"], row["state"], row["number"], row["code"], row["field"]) for row in done["rows"]]
    assert rows == [
        (2, "created", NEW, None, None),
        (3, "created", "+13125550101", None, None),
        (4, "refused", NEW, "row.twice", "number"),
        (5, "refused", "+13125550102", "thing.missing", "carrier"),
        (6, "refused", "12", "value.invalid", "number"),
        (7, "refused", "+12000000000", "value.invalid", "country"),
        (8, "refused", "+13125550103", "value.invalid", "country"),
        (9, "refused", "+13125550104", "row.cells", "kind"),
        (10, "changed", "+12065550104", None, None),
        (11, "unchanged", "+12065550105", None, None),
    ]
    assert "odd" in done["rows"][6]["explanation"]
    made = (await provider.get(f"{STOCK}/+13125550101")).json()
    assert (made["kind"], made["carrier"], made["locality"], made["version"]) == ("toll_free", None, None, done["revision"])
    assert {line["revision"] for line in await told(provider)} - {line["revision"] for line in before} == {done["revision"]}


@pytest.mark.parametrize(("on_existing", "state"), [("skip", "skipped"), ("refuse", "refused"), ("change", "changed")])
async def test_what_is_there_already_is_dealt_with_as_is_said(provider: AsyncClient, on_existing: str, state: str) -> None:
    done = (await sent(provider, "number,locality\n+12065550104,Seattle\n", on_existing=on_existing)).json()
    assert [row["state"] for row in done["rows"]] == [state]
    assert (await provider.get(f"{STOCK}/+12065550104")).json()["locality"] == ("Seattle" if state == "changed" else None)


@pytest.mark.parametrize(
    ("octets", "code", "field"),
    [
        (b"", "csv.empty", "file"),
        (b"e164\n", "csv.empty", "file"),
        (b"carrier\nnorth\n", "csv.columns", "number"),
        (b"e164,number\n+1,+2\n", "csv.columns", "number"),
        (b"e164,username\n+1,anna\n", "csv.columns", "username"),
        (b'e164\n"+1\n', "csv.unreadable", "e164"),
        (b"e164\n" + b"+1\n" * (MOST_AT_ONCE + 1), "csv.too_many_rows", "file"),
    ],
)
async def test_a_file_that_is_none_is_refused_as_a_whole(provider: AsyncClient, octets: bytes, code: str, field: str) -> None:
    refused = problem(await sent(provider, octets))
    assert (refused["status"], refused["code"], refused["field"]) == (422, code, field)


async def test_many_rows_are_a_revision_every_five_hundred(provider: AsyncClient) -> None:
    before = (await provider.get("/provider/history?limit=1")).json()["changes"][0]["revision"]
    text = "e164,country,kind\n" + "".join(f"+1312556{last:04},US,geographic\n" for last in range(1200))
    done = (await sent(provider, text)).json()
    assert done["results"] == {"created": 1200} and done["revision"] == before + 3
    assert len(await stock(provider, prefix="+1312556")) == 500


async def test_a_request_that_is_sent_again_adds_nothing(provider: AsyncClient) -> None:
    key = {"Idempotency-Key": "one"}
    first = await provider.post(STOCK, json={"number": NEW}, headers=key)
    again = await provider.post(STOCK, json={"number": NEW}, headers=key)
    assert again.headers["Idempotency-Replayed"] == "true" and again.json() == first.json()
    assert len(await told(provider)) and [line["id"] for line in await told(provider)].count(NEW) == 1


async def test_a_carrier_with_numbers_stays(provider: AsyncClient) -> None:
    await provider.post("/carriers", json={"name": "north", "address": "192.0.2.5"})
    await provider.post("/carriers", json={"name": "south", "address": "192.0.2.6", "default": True})
    await provider.post(STOCK, json={"number": NEW, "carrier": "north"})
    refused = problem(await provider.delete("/carriers/north"))
    assert (refused["status"], refused["code"], refused["field"]) == (409, "carrier.has_numbers", "carrier")
    await provider.patch(f"{STOCK}/{NEW}", json={"carrier": "south"})
    assert (await provider.delete("/carriers/north")).status_code == 200


async def test_a_file_of_the_organization_takes_only_what_is_available(world: World, provider: AsyncClient) -> None:
    async with world.client(world.lumen.token) as lumen:
        whole = (await lumen.get("/api/v1/configuration")).text
        before = (await lumen.get("/api/v1/numbers", params={"limit": 500})).json()
        for number in ("+15035550101", "+14155550188", "+12065550199"):
            wanted = whole.replace("numbers:\n", f'numbers:\n  "{number}": {{}}\n', 1)
            assert wanted != whole
            for verb in ("plan", "apply"):
                answer = await lumen.post(f"/api/v1/configuration/{verb}", content=wanted, headers={"Content-Type": "application/yaml"})
                refused = problem(answer)
                assert (refused["status"], refused["code"]) == (409, "number.not_available"), (number, verb, refused)
            for path, asked in (("route", {"from": "anna", "to": "102"}), ("replay", {"since": "2026-01-01T00:00:00Z"})):
                refused = problem(await lumen.post(f"/api/v1/{path}", json=asked | {"plan": wanted}))
                assert (refused["status"], refused["code"], refused["field"]) == (409, "number.not_available", "plan.number")
        assert (await lumen.get("/api/v1/numbers", params={"limit": 500})).json() == before
        wanted = whole.replace("numbers:\n", 'numbers:\n  "+12065550142": {}\n', 1)
        assert (await lumen.post("/api/v1/route", json={"from": "anna", "to": "102", "plan": wanted})).status_code == 200
        done = await lumen.post("/api/v1/configuration/apply", content=wanted, headers={"Content-Type": "application/yaml"})
        assert done.status_code == 200, done.text
    assert (await provider.get(f"{STOCK}/+12065550142")).json()["domain"] == "lumen.test"
