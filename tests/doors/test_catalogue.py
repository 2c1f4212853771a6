"""What the provider offers, where and for how much; what an organization sees of it, and who is taken in where."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import AsyncClient

from offhook.domain.countries import Service
from offhook.domain.emergency import emergency_numbers
from offhook.domain.errors import Unavailable
from offhook.doors.api import pages
from offhook.services.edge_facts import load_edge_facts
from offhook.services.first_catalogue import FIRST_PRODUCTS
from offhook.services.invitations import invite
from tests.doors.rooms import World
from tests.doors.test_invitations import provider
from tests.doors.test_jobs import CSV, IMPORT, at_work, over
from tests.doors.test_provider import told
from tests.doors.test_refusals import problem

__all__ = ["provider"]

NIGHT: dict[str, Any] = {
    "sku": "night-line",
    "kind": "add_on",
    "name_en": "Night line",
    "name_fr": "Ligne de nuit",
    "needs": "phone-system",
}
PRICE: dict[str, Any] = {"sku": "phone-system", "currency": "USD", "period": "month", "amount": "9.90"}


async def offers(world: World, token: str | None = None) -> dict[str, Any]:
    async with world.client(token or world.lumen.token) as client:
        shown = (await client.get("/api/v1/catalogue")).json()
    return {each["sku"]: {price["period"]: price["amount"] for price in each["prices"]} for each in shown["products"]}


async def test_a_fresh_sandbox_sells_at_prices_that_say_they_are_made_up(world: World, provider: AsyncClient) -> None:
    async with world.client(world.lumen.token) as client:
        shown = (await client.get("/api/v1/catalogue")).json()
    assert (shown["country"], shown["currency"]) == ("US", "USD")
    assert [each["sku"] for each in shown["products"]] == sorted(each.sku for each in FIRST_PRODUCTS)
    prices = [price for each in shown["products"] for price in each["prices"]]
    assert len(prices) > len(FIRST_PRODUCTS) and all(price["made_up"] for price in prices)
    assert (await offers(world))["audio-conferencing-per-minute"] == {"month": "0.00", "minute": "0.0125"}
    assert {kind for kind, _, who in await told(provider, limit=500) if who == "sandbox"} >= {"product", "price"}


async def test_every_country_of_the_facts_is_served_until_the_provider_says_otherwise(world: World, provider: AsyncClient) -> None:
    found, cursor = [], ""
    while True:
        page = (await provider.get(f"/provider/countries?limit=100{cursor}")).json()
        found += page["countries"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    codes = [each["country"] for each in found]
    assert codes == sorted(set(codes)) and len(codes) > 240
    assert sum(each["served"] for each in found) == 86 == sum(each["phone_system"] for each in found)
    counted = {service.value: sum(each[service.value] for each in found) for service in Service}
    assert counted == {
        "phone_system": 86,
        "calling_plans": 10,
        "audio_conferencing": 72,
        "toll_numbers": 64,
        "toll_free_numbers": 73,
        "credits": 71,
    }
    known = {each["country"]: each for each in found}
    assert known["BE"]["domestic_minutes"] == 1200 and known["BE"]["languages"] == ["nl", "fr", "de"] and known["BE"]["currency"] == "EUR"
    assert known["AU"]["calling_plans_by_partner"] and not known["AU"]["calling_plans"]
    assert known["CR"]["assigned_cities"] == [] and known["AE"]["assigned_cities"] is None and known["CH"]["currency"] == "CHF"
    assert len((await provider.get("/provider/countries?limit=500&served=false&service=credits")).json()["countries"]) == 0


async def test_the_providers_word_outweighs_the_facts_and_is_taken_back(world: World, provider: AsyncClient) -> None:
    looked = await provider.get("/provider/countries/IS")
    assert not looked.json()["served"] and looked.json()["said"] == []
    said = {"served": True, "calling_plans": True, "currency": "EUR"}
    changed = await provider.patch("/provider/countries/IS", json=said, headers={"If-Match": looked.headers["etag"]})
    assert changed.status_code == 200, changed.text
    iceland = changed.json()["country"]
    assert {name: iceland[name] for name in said} == said and sorted(iceland["said"]) == sorted(said)
    assert iceland["version"] == changed.json()["revision"]
    stale = problem(await provider.patch("/provider/countries/IS", json={"served": False}, headers={"If-Match": looked.headers["etag"]}))
    assert stale["code"] == "thing.stale"
    again = await provider.patch("/provider/countries/IS", json=said)
    assert again.json()["revision"] is None, "what is so already is no change"
    back = (await provider.patch("/provider/countries/IS", json=dict.fromkeys(said))).json()["country"]
    assert back["said"] == [] and not back["served"] and back["currency"] == "ISK"
    assert await told(provider, kind="country") == [("country", "IS", "provider")] * 2


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "field"),
    [
        ("XX", {"served": True}, 404, "thing.missing", "country"),
        ("fr", {"served": True}, 422, "value.invalid", "country"),
        ("FR", {"currency": "DEM"}, 422, "value.invalid", "currency"),
        ("FR", {"currency": "eur"}, 422, "value.invalid", "currency"),
        ("FR", {"served": "yes"}, 422, "value.invalid", "served"),
        ("FR", {"fax": True}, 422, "value.invalid", "fax"),
    ],
)
async def test_what_cannot_be_said_of_a_country_is_refused_with_the_field(
    world: World, provider: AsyncClient, path: str, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    refused = problem(await provider.patch(f"/provider/countries/{path}", json=body))
    assert (refused["status"], refused["code"], refused["field"]) == (status, code, field)


async def test_nobody_new_is_taken_in_where_the_provider_serves_nobody(world: World, provider: AsyncClient) -> None:
    maple = {"name": "Maple", "domain": "maple.test", "country": "FR"}
    async with world.client(world.lumen.token) as client:
        assert (await client.post("/api/v1/users", json={"username": "maria", "name": "M", "location": "FR"})).status_code == 201
        await provider.patch("/provider/countries/FR", json={"served": False})
        await provider.patch("/provider/countries/US", json={"served": False})
        refusals = [
            (await provider.post("/organizations", json=maple), "country"),
            (await client.post("/api/v1/users", json={"username": "nina", "name": "N", "location": "FR"}), "location"),
            (await client.patch("/api/v1/users/anna", json={"location": "FR"}), "location"),
            (await client.patch("/api/v1/organization", json={"country": "FR"}), "country"),
        ]
        for answer, field in refusals:
            refused = problem(answer)
            assert (refused["status"], refused["code"], refused["field"]) == (409, "country.not_served", field)
        kept = [
            await client.patch("/api/v1/users/maria", json={"name": "Maria", "location": "FR"}),
            await client.post("/api/v1/users", json={"username": "nina", "name": "N", "location": "US"}),
            await client.patch("/api/v1/organization", json={"country": "US", "name": "Lumen"}),
        ]
        assert [answer.status_code for answer in kept] == [200, 201, 200], "who is there stays, and the organization goes on"
        assert (await client.get("/api/v1/countries?limit=500")).json()["countries"][0]["country"] == "AE"
        assert "FR" not in [each["country"] for each in (await client.get("/api/v1/countries?limit=500")).json()["countries"]]
    await provider.patch("/provider/countries/FR", json={"served": None})
    assert (await provider.post("/organizations", json=maple)).status_code == 201


async def test_a_file_that_is_applied_brings_nobody_where_nobody_is_served(world: World, provider: AsyncClient) -> None:
    async with world.client(world.lumen.token) as client:
        await client.patch("/api/v1/users/ben", json={"location": "FR"})
        await provider.patch("/provider/countries/FR", json={"served": False})
        file = (await client.get("/api/v1/configuration")).text
        assert (await client.post("/api/v1/configuration/plan", content=file)).status_code == 200
        moved = file.replace("    name: Anna Lind\n", "    name: Anna Lind\n    location: FR\n")
        assert moved != file
        for path, asked in (("route", {"from": "anna", "to": "102"}), ("replay", {"since": "2026-01-01T00:00:00Z"})):
            planned = problem(await client.post(f"/api/v1/{path}", json=asked | {"plan": moved}))
            assert (planned["status"], planned["code"], planned["field"]) == (409, "country.not_served", "plan.location")
        refused = problem(await client.post("/api/v1/configuration/apply", content=moved))
        assert (refused["code"], refused["field"]) == ("country.not_served", "location")
        whole = problem(await client.post("/api/v1/configuration/plan", content=file.replace("country: US", "country: FR")))
        assert (whole["code"], whole["field"]) == ("country.not_served", "country")


async def test_a_file_of_people_takes_nobody_in_where_nobody_is_served(world: World, provider: AsyncClient) -> None:
    for code in ("FR", "US"):
        await provider.patch(f"/provider/countries/{code}", json={"served": False})
    people = "username,name,location\nzoe,Zoe,FR\nzara,Zara,BE\nanna,Anna,FR\nben,Ben,US\n"
    for query in ("?dry_run=true", ""):
        async with at_work(world) as client:
            job = await over(client, (await client.post(f"{IMPORT}{query}", content=people, headers=CSV)).json())
            rows = (await client.get(f"/api/v1/jobs/{job['id']}/rows")).json()["rows"]
        told = [(row["username"], row["state"], row["code"], row["field"]) for row in rows]
        assert told[:3] == [
            ("zoe", "refused", "country.not_served", "location"),
            ("zara", "created", None, None),
            ("anna", "refused", "country.not_served", "location"),
        ]
        assert told[3][:2] == ("ben", "changed"), "one's own country is always good"


async def test_the_page_of_the_first_start_offers_only_countries_that_are_served(world: World, provider: AsyncClient) -> None:
    await provider.patch("/provider/countries/FR", json={"served": False})
    await provider.patch("/provider/countries/IS", json={"served": True})
    page, sent = f"/welcome/{invite(world.database)}", {"name": "Maple", "domain": "maple.test", "time_zone": "UTC"}
    async with world.client(None, **{"Accept-Language": "fr"}) as client:
        form = (await client.get(page)).text
        assert "Islande" in form and "Belgique" in form and ">France<" not in form
        refused = await client.post(page, data=sent | {"country": "FR"})
        assert refused.status_code == 409 and "Aucune organisation n’est acceptée dans ce pays" in refused.text
        assert (await client.post(page, data=sent | {"country": "IS"})).status_code == 200


async def test_the_form_is_shown_with_every_country_when_nobody_can_say_which_are_served(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(pages, "list_countries", away)
    async with world.client(None, **{"Accept-Language": "fr"}) as client:
        form = await client.get(f"/welcome/{invite(world.database)}")
    assert form.status_code == 200 and ">France<" in form.text and "Zambie" in form.text


async def test_help_is_reached_as_before_whatever_the_provider_serves(world: World, provider: AsyncClient) -> None:
    nothing: dict[str, Any] = dict.fromkeys((each.value for each in Service), False) | {"served": False}
    before = load_edge_facts(world.database, off_loopback=False).emergency
    assert before["lumen.test"] == emergency_numbers("US") != frozenset()
    await provider.patch("/provider/countries/US", json=nothing)
    assert load_edge_facts(world.database, off_loopback=False).emergency == before
    async with world.client(world.lumen.token) as client:
        route = (await client.post("/api/v1/route", json={"from": "anna", "to": "911"})).json()
    assert "emergency" in str(route)


async def test_a_product_is_drafted_sold_and_withdrawn(world: World, provider: AsyncClient) -> None:
    made = await provider.post("/provider/products", json=NIGHT)
    assert made.status_code == 201 and made.headers["location"].endswith("/provider/products/night-line")
    assert made.json()["product"] == NIGHT | {
        "state": "draft",
        "description_en": "",
        "description_fr": "",
        "service": None,
        "version": made.json()["revision"],
    }
    assert "night-line" not in await offers(world)
    sold = await provider.post("/provider/products/night-line/sell", headers={"If-Match": made.headers["etag"]})
    assert sold.json()["product"]["state"] == "on_sale" and (await offers(world))["night-line"] == {}
    stale = problem(await provider.post("/provider/products/night-line/withdraw", headers={"If-Match": made.headers["etag"]}))
    assert stale["code"] == "thing.stale"
    for method, path, body in [
        ("post", "/sell", None),
        ("delete", "", None),
        ("patch", "", {"kind": "licence"}),
        ("patch", "", {"needs": None}),
    ]:
        refused = problem(await provider.request(method, f"/provider/products/night-line{path}", json=body))
        assert (refused["status"], refused["code"]) == (409, "product.not_now"), (path, refused)
    renamed = await provider.patch("/provider/products/night-line", json={"name_fr": "Ligne nocturne", "kind": "add_on"})
    assert renamed.json()["product"]["name_fr"] == "Ligne nocturne"
    assert (await provider.post("/provider/products/night-line/withdraw")).json()["product"]["state"] == "withdrawn"
    assert "night-line" not in await offers(world)
    assert (await provider.post("/provider/products/night-line/sell")).status_code == 200
    lines = (await provider.get("/provider/history?kind=product&id=night-line")).json()["changes"]
    assert [line["after"]["state"] for line in lines] == ["on_sale", "withdrawn", "on_sale", "on_sale", "draft"]


async def test_a_draft_goes_with_its_prices_unless_something_needs_it(world: World, provider: AsyncClient) -> None:
    await provider.post("/provider/products", json=NIGHT)
    await provider.post("/provider/products", json=NIGHT | {"sku": "owl", "needs": "night-line"})
    await provider.post("/provider/prices", json=PRICE | {"sku": "night-line"})
    refused = problem(await provider.delete("/provider/products/night-line"))
    assert (refused["code"], refused["field"]) == ("thing.in_use", "sku") and "owl" in refused["detail"]
    unsold = problem(await provider.post("/provider/products/owl/sell"))
    assert (unsold["code"], unsold["field"]) == ("product.not_now", "needs")
    assert (await provider.delete("/provider/products/owl")).status_code == 200
    assert (await provider.delete("/provider/products/night-line")).status_code == 200
    assert (await provider.get("/provider/prices?sku=night-line")).json()["prices"] == []
    assert problem(await provider.get("/provider/products/night-line"))["field"] == "sku"


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (NIGHT | {"sku": "phone-system"}, 409, "thing.taken", "sku"),
        (NIGHT | {"sku": "Night Line"}, 422, "value.invalid", "sku"),
        (NIGHT | {"kind": "gift"}, 422, "value.invalid", "kind"),
        (NIGHT | {"name_fr": " "}, 422, "value.invalid", "name_fr"),
        (NIGHT | {"description_en": "x" * 501}, 422, "value.invalid", "description_en"),
        (NIGHT | {"needs": "nothing"}, 422, "value.invalid", "needs"),
        (NIGHT | {"needs": "night-line"}, 422, "value.invalid", "needs"),
        (NIGHT | {"needs": "calling-plan-domestic"}, 422, "value.invalid", "needs"),
        (NIGHT | {"service": "fax"}, 422, "value.invalid", "service"),
    ],
)
async def test_a_product_that_cannot_be_is_refused_with_the_field(
    world: World, provider: AsyncClient, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    refused = problem(await provider.post("/provider/products", json=body))
    assert (refused["status"], refused["code"], refused["field"]) == (status, code, field)
    assert len((await provider.get("/provider/products")).json()["products"]) == len(FIRST_PRODUCTS)


async def test_products_come_by_pages_and_by_state(world: World, provider: AsyncClient) -> None:
    await provider.post("/provider/products/communications-credits/withdraw")
    first = (await provider.get("/provider/products?limit=4&state=on_sale")).json()
    rest = (await provider.get(f"/provider/products?limit=4&state=on_sale&cursor={first['next']}")).json()
    skus = [each["sku"] for each in first["products"] + rest["products"]]
    assert skus == sorted({each.sku for each in FIRST_PRODUCTS} - {"communications-credits"}) and rest["next"] is None
    assert [each["sku"] for each in (await provider.get("/provider/products?state=withdrawn")).json()["products"]] == [
        "communications-credits"
    ]
    wrong = problem(await provider.get(f"/provider/products?limit=4&cursor={first['next']}"))
    assert wrong["field"] == "cursor"


async def test_a_price_counts_from_its_moment_and_a_countrys_own_goes_first(world: World, provider: AsyncClient) -> None:
    assert (await provider.post("/provider/prices", json=PRICE)).status_code == 201
    assert (await offers(world))["phone-system"] == {"month": "9.90"}
    assert (await provider.post("/provider/prices", json=PRICE | {"country": "US", "amount": "7"})).status_code == 201
    soon = datetime.now(UTC) + timedelta(seconds=3)
    later = await provider.post("/provider/prices", json=PRICE | {"country": "US", "amount": None, "valid_from": soon.isoformat()})
    assert later.json()["price"]["amount"] is None
    assert (await offers(world))["phone-system"] == {"month": "7.00"}
    while (await offers(world))["phone-system"] != {"month": "9.90"}:
        assert datetime.now(UTC) < soon + timedelta(seconds=10)
        await asyncio.sleep(0.05)
    assert datetime.now(UTC) >= soon


async def test_what_something_did_cost_is_not_changed(world: World, provider: AsyncClient) -> None:
    begun = (await provider.post("/provider/prices", json=PRICE)).json()["price"]
    refused = problem(await provider.delete(f"/provider/prices/{begun['id']}"))
    assert (refused["status"], refused["code"]) == (409, "price.begun")
    before = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    past = problem(await provider.post("/provider/prices", json=PRICE | {"valid_from": before}))
    assert (past["status"], past["code"], past["field"]) == (422, "price.past", "valid_from")
    ahead = PRICE | {"valid_from": (datetime.now(UTC) + timedelta(days=9)).isoformat()}
    later = (await provider.post("/provider/prices", json=ahead)).json()["price"]
    twice = problem(await provider.post("/provider/prices", json=ahead | {"amount": "1"}))
    assert (twice["status"], twice["code"], twice["field"]) == (409, "thing.taken", "valid_from")
    assert (await provider.get(f"/provider/prices/{later['id']}")).json() == later
    assert (await provider.delete(f"/provider/prices/{later['id']}")).status_code == 200
    assert problem(await provider.get(f"/provider/prices/{later['id']}"))["field"] == "price"
    kinds = [
        (line["before"] is None, line["after"] is None)
        for line in (await provider.get("/provider/history?kind=price&limit=3")).json()["changes"]
    ]
    assert kinds == [(False, True), (True, False), (True, False)]


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"sku": "nothing"}, 404, "thing.missing", "sku"),
        ({"country": "XX"}, 422, "value.invalid", "country"),
        ({"country": "us"}, 422, "value.invalid", "country"),
        ({"currency": "DEM"}, 422, "value.invalid", "currency"),
        ({"period": "week"}, 422, "value.invalid", "period"),
        ({"amount": "9.999"}, 422, "value.invalid", "amount"),
        ({"amount": "9,90"}, 422, "value.invalid", "amount"),
        ({"amount": "-1"}, 422, "value.invalid", "amount"),
        ({"amount": 9.9}, 422, "value.invalid", "amount"),
        ({"amount": "1.5", "currency": "JPY"}, 422, "value.invalid", "amount"),
        ({"amount": "0.0000001", "period": "minute"}, 422, "value.invalid", "amount"),
        ({"valid_from": "2200-01-01T00:00:00Z"}, 422, "value.invalid", "valid_from"),
        ({"valid_from": "2027-01-01"}, 422, "value.invalid", "valid_from"),
    ],
)
async def test_a_price_that_cannot_be_is_refused_with_the_field(
    world: World, provider: AsyncClient, change: dict[str, Any], status: int, code: str, field: str
) -> None:
    before = (await provider.get("/provider/prices?limit=500")).json()["prices"]
    for path, body, named in [("", PRICE | change, field), ("/import", {"prices": [PRICE, PRICE | change]}, f"prices.1.{field}")]:
        refused = problem(await provider.post(f"/provider/prices{path}", json=body))
        assert (refused["status"], refused["code"], refused["field"]) == (status, code, named)
    assert (await provider.get("/provider/prices?limit=500")).json()["prices"] == before


async def test_a_list_of_prices_is_set_whole_and_once(world: World, provider: AsyncClient) -> None:
    ahead = PRICE | {"amount": "11", "valid_from": (datetime.now(UTC) + timedelta(days=9)).isoformat()}
    wanted = {"prices": [PRICE, PRICE | {"country": "US", "period": "year", "amount": "99"}, ahead]}
    tried = (await provider.post("/provider/prices/import?dry_run=true", json=wanted)).json()
    assert tried == {"revision": None, "added": 3, "unchanged": 0}
    assert (await offers(world))["phone-system"] == {"month": "8.00"}
    done = (await provider.post("/provider/prices/import", json=wanted)).json()
    assert (done["added"], done["unchanged"]) == (3, 0) and done["revision"]
    assert (await offers(world))["phone-system"] == {"month": "9.90", "year": "99.00"}
    again = (await provider.post("/provider/prices/import", json=wanted)).json()
    assert again == {"revision": None, "added": 0, "unchanged": 3}
    exported = (await provider.get("/provider/prices?limit=500")).json()["prices"]
    back = [{name: each[name] for name in ("sku", "country", "currency", "period", "amount", "valid_from")} for each in exported]
    assert (await provider.post("/provider/prices/import", json={"prices": back})).json()["added"] == 0


async def test_prices_are_found_by_what_they_are_of_and_come_by_pages(world: World, provider: AsyncClient) -> None:
    await provider.post("/provider/prices", json=PRICE | {"country": "CA", "currency": "CAD"})
    found = (await provider.get("/provider/prices?sku=phone-system&currency=CAD")).json()["prices"]
    assert [(each["country"], each["made_up"]) for each in found] == [(None, True), ("CA", False)]
    assert [each["country"] for each in (await provider.get("/provider/prices?country=CA")).json()["prices"]] == ["CA"]
    of_all = (await provider.get("/provider/prices?country=any&limit=500")).json()["prices"]
    assert all(each["country"] is None for each in of_all) and len(of_all) > 30
    first = (await provider.get("/provider/prices?limit=20")).json()
    rest = (await provider.get(f"/provider/prices?limit=500&cursor={first['next']}")).json()
    ids = [each["id"] for each in first["prices"] + rest["prices"]]
    assert ids == sorted(set(ids)) and len(ids) == len(of_all) + 1 and rest["next"] is None


async def test_an_organization_sees_what_its_country_has_and_what_is_paid_with_there(world: World, provider: AsyncClient) -> None:
    await provider.patch("/provider/countries/US", json={"calling_plans": False, "currency": "EUR"})
    async with world.client(world.lumen.token) as client:
        shown = (await client.get("/api/v1/catalogue")).json()
    assert shown["currency"] == "EUR" and not any(each["kind"] == "calling_plan" for each in shown["products"])
    await provider.patch("/provider/countries/US", json={"served": False})
    assert "phone-system" in await offers(world), "who is there buys on"


async def test_a_price_that_is_sent_again_with_its_key_begins_once(world: World, provider: AsyncClient) -> None:
    answers = [await provider.post("/provider/prices", json=PRICE, headers={"Idempotency-Key": "p1"}) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201] and answers[0].json() == answers[1].json()
    assert len([each for each in (await provider.get("/provider/prices?sku=phone-system")).json()["prices"] if not each["made_up"]]) == 1
