"""The plan of a running system: written by the supervisor, read the same by every process."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from offhook.plan import SystemPlan, read_plan
from offhook.wiring.engines import edge_settings, media_memory, media_settings
from offhook.wiring.probe import stage_of
from offhook.wiring.summary import summary_lines

USER = {"username": "one", "password": "pw", "extension": "901", "number": "+13125550101"}
PLAN = SystemPlan(
    data_dir="/data",
    database_url="sqlite:////data/offhook.sqlite",
    address="127.0.0.1",
    address6="::1",
    off_loopback=False,
    sip_port=5060,
    sips_port=5061,
    http_port=8080,
    edge_carrier_port=5070,
    edge_inner_port=5071,
    edge_secret="word" * 8,
    switch_port=5072,
    ng_port=2223,
    ng_tcp_port=2224,
    media_memory_port=2225,
    media_memory_secret="forgetful",
    rtp_first=30000,
    rtp_last=30100,
    carrier_host="127.0.2.1",
    carrier_port=5080,
    sandbox=True,
    drain_seconds=30,
    trusted=("127.0.0.1",),
    ping_phones="all",
    ping_carriers_seconds=20,
    new_calls_per_second=200,
    most_calls=500,
    most_calls_a_user=30,
    session_seconds=600,
    follows_redirects=False,
    offers_srtp=True,
    log_level="info",
    log_format="text",
    metrics_from=("127.0.0.0/8",),
    webhooks_to_private=False,
    mail_server=None,
    mail_from=None,
    public_url=None,
    probe={"domain": "probe.test", "users": [USER], "attendant": {"extension": "900", "number": "+13125550100"}},
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(PLAN.values()))
    assert read_plan(file) == PLAN


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"trusted": []}', json.dumps(PLAN.values() | {"trusted": None})])
def test_a_damaged_plan_is_a_value_error(tmp_path: Path, content: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(content)
    with pytest.raises(ValueError, match="plan"):
        read_plan(file)


def test_every_engine_is_told_its_own_ports() -> None:
    edge, media = edge_settings(PLAN), media_settings(PLAN)
    assert (edge.sip_port, edge.carrier_port, edge.inner_port, edge.switch_port) == (5060, 5070, 5071, 5072)
    assert (edge.sips_port, edge.address6, edge.ping, edge.new_calls_per_second) == (5061, "::1", "all", 200)
    assert edge.database == PLAN.edge_database and edge.run_folder == PLAN.run_folder
    assert media == type(media)(
        "127.0.0.1", 2223, 2224, 30000, 30100, address6=PLAN.address6, configuration=PLAN.run_folder / "rtpengine.conf"
    )
    memory = media_memory(PLAN)
    assert memory and (memory.port, memory.password) == (2225, "forgetful")
    assert media_memory(replace(PLAN, media_memory_port=0)) is None


def test_without_a_sandbox_nobody_calls_in() -> None:
    assert stage_of(PLAN).call_in is not None
    stage = stage_of(replace(PLAN, sandbox=False))
    assert stage.call_in is None
    assert (stage.domain, stage.edge.port, stage.users[0].extension) == ("probe.test", 5060, "901")


def test_the_summary_tells_where_to_go_and_the_link_once() -> None:
    assert "http://127.0.0.1:8080" in "\n".join(summary_lines(PLAN, None, None))
    lines = "\n".join(summary_lines(PLAN, None, "http://127.0.0.1:8080/invited#word"))
    assert lines.count("#word") == 1
    assert PLAN.edge_secret not in "\n".join(summary_lines(PLAN, None, None)), "no secret of the plan is printed"
