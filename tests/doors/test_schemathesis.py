"""What programs that read the API's description can think of: Schemathesis sends what fits it and what does not, always the same."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from offhook.doors.api.app import create_app
from offhook.doors.api.house import House
from offhook.services import passwords
from offhook.services.tokens import provider_token
from tests.doors.conftest import KEY
from tests.doors.rooms import World
from tests.doors.test_sign_in import QUICK

EXAMPLES = 4
"""Requests for each route and kind of case; with all routes about half a minute on one core that others use too."""
ENDLESS = "/api/v1/events"
CHECKS: list[Callable[..., Any]] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    ignored_auth,
    unsupported_method,
]
"""All of Schemathesis' but that what fits the description is accepted: no description can say which extension is free."""


STRICT = {"checks": {"negative_data_rejection": {"expected-statuses": ["400", "401", "403", "404", "405", "409", "412", "413", "422"]}}}
"""What does not fit is refused as one of these."""

ROUTES = sorted(
    (path, method.upper())
    for path, methods in create_app(cast(House, SimpleNamespace(version="0", store=None))).openapi()["paths"].items()
    for method in methods
    if path != ENDLESS
)


@pytest.mark.parametrize(("path", "method"), ROUTES, ids=lambda each: each.removeprefix("/api/v1"))
def test_what_a_program_can_think_of_is_answered_as_described(
    world: World, path: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "HASHER", QUICK)
    world.probe.rows = [{"name": "register", "passed": True, "skipped": False, "seconds": 0.1, "detail": "ok"}]
    route = schemathesis.openapi.from_asgi("/api/v1/openapi.json", world.app, config=SchemathesisConfig.from_dict(STRICT))[path][method]
    of_provider = world.app.openapi()["paths"][path][method.lower()].get("x-offhook-scopes") == ["provider"]
    headers = {"Authorization": f"Bearer {provider_token(world.database, KEY) if of_provider else world.lumen.token}"}
    for mode in GenerationMode:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=route.as_strategy(generation_mode=mode))
        def send(case: Case[Any]) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        try:
            send()
        except Unsatisfiable:
            assert mode.is_negative, f"nothing fits the description of {method} {path}"
