"""The figures of the whole system in the text format of Prometheus. Who may read them: docs/decisions/0024."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from offhook.domain.errors import Unauthenticated
from offhook.doors.api.access import Inside, bearer, may_ask, must_be_provider
from offhook.services.tokens import authenticate

router = APIRouter(tags=["health"])

Family = dict[str, Any]


@router.get("/metrics")
async def metrics(request: Request, house: Inside, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Response:
    """Every figure, for Prometheus: from the addresses of OFFHOOK_METRICS_FROM, or with the provider's token."""
    if sent is not None:
        must_be_provider(may_ask(await run_in_threadpool(authenticate, house.store, sent.credentials), request.method))
    elif not is_among(request.client.host if request.client else "", house.metrics_from):
        raise Unauthenticated("Send the provider's token, or let this address in by OFFHOOK_METRICS_FROM.")
    return Response(written(await house.figures()), media_type=CONTENT_TYPE_LATEST)


def is_among(address: str, networks: Sequence[str]) -> bool:
    """Whether an address lies in one of the networks; what is no address does not."""
    try:
        host = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(host in ipaddress.ip_network(network) for network in networks)


def written(families: Iterable[Family]) -> bytes:
    """Families of offhook.metrics in the text format."""
    return generate_latest(_Families(families))


class _Families(Collector):
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return (_metric(family) for family in self._families)


def _metric(family: Family) -> Metric:
    name, words, labels = family["name"], family["words"], family["labels"]
    if family["kind"] == "histogram":
        spread = HistogramMetricFamily(name, words, labels=labels)
        bounds = [*(floatToGoString(bound) for bound in family["bounds"]), "+Inf"]  # type: ignore[no-untyped-call]
        for values, counts, total in family["rows"]:
            spread.add_metric(values, list(zip(bounds, accumulate(counts), strict=True)), total)
        return spread
    plain: CounterMetricFamily | GaugeMetricFamily = (CounterMetricFamily if family["kind"] == "counter" else GaugeMetricFamily)(
        name, words, labels=labels
    )
    for values, value in family["rows"]:
        plain.add_metric(values, value)
    return plain
