"""Settings: what is read, and that every mistake is told at once in words that say what to do."""

from pathlib import Path

import pytest

from offhook.settings import PortRange, Settings, SettingsWrong, database_of, read

DATABASE = "postgresql://offhook:word@db.test/offhook?sslmode=verify-full"

MAIL_SERVER = "smtp://phones:w%40rd@mail.example.com:2525?cafile=/tls/own.pem"

EVERY = {
    "OFFHOOK_DATA_DIR": "/data",
    "OFFHOOK_DATABASE_URL": DATABASE,
    "OFFHOOK_ADDRESS": "192.0.2.7",
    "OFFHOOK_ADDRESS6": "[2001:DB8::7]",
    "OFFHOOK_SIP_PORT": "5070",
    "OFFHOOK_SIPS_PORT": "5443",
    "OFFHOOK_TLS_CERTIFICATE": "/tls/full.pem",
    "OFFHOOK_TLS_KEY": "/tls/key.pem",
    "OFFHOOK_PING_PHONES": "ALL",
    "OFFHOOK_PING_CARRIERS_SECONDS": "10",
    "OFFHOOK_NEW_CALLS_PER_SECOND": "250",
    "OFFHOOK_MOST_CALLS": "700",
    "OFFHOOK_MOST_CALLS_A_USER": "7",
    "OFFHOOK_SESSION_SECONDS": "600",
    "OFFHOOK_REDIRECTS": "refuse",
    "OFFHOOK_SRTP": "off",
    "OFFHOOK_HTTP_PORT": "8081",
    "OFFHOOK_RTP_PORTS": "30000-30999",
    "OFFHOOK_SANDBOX": "no",
    "OFFHOOK_DRAIN_SECONDS": "0",
    "OFFHOOK_TRUSTED": "192.0.2.1, 10.0.0.0/8, fd00::/8",
    "OFFHOOK_LOG_LEVEL": "DEBUG",
    "OFFHOOK_LOG_FORMAT": "JSON",
    "OFFHOOK_METRICS_FROM": "192.0.2.9, 2001:db8::/32",
    "OFFHOOK_MAIL_SERVER": MAIL_SERVER,
    "OFFHOOK_MAIL_FROM": "Telephones <phones@example.com>",
    "OFFHOOK_PUBLIC_URL": "https://phones.example.com/",
}


def mistakes_of(**environment: str) -> list[str]:
    with pytest.raises(SettingsWrong) as wrong:
        read(environment)
    return [str(mistake) for mistake in wrong.value.mistakes]


def test_without_any_variable_the_defaults_stand() -> None:
    settings = read({"PATH": "/bin"})
    assert settings == Settings()
    assert (settings.sip_port, settings.http_port, settings.address, settings.drain_seconds) == (5060, 8080, "127.0.0.1", 5)
    assert settings.sandbox and settings.rtp_ports is None and settings.is_on_loopback
    assert settings.data_dir == Path(__file__).resolve().parents[1] / "var"


def test_every_setting_is_read(tmp_path: Path) -> None:
    settings = read(EVERY | {"OFFHOOK_DATA_DIR": str(tmp_path)})
    assert settings == Settings(
        data_dir=tmp_path,
        database_url=DATABASE,
        address="192.0.2.7",
        address6="2001:db8::7",
        sip_port=5070,
        sips_port=5443,
        tls_certificate=Path("/tls/full.pem"),
        tls_key=Path("/tls/key.pem"),
        ping_phones="all",
        ping_carriers_seconds=10,
        new_calls_per_second=250,
        most_calls=700,
        most_calls_a_user=7,
        session_seconds=600,
        redirects="refuse",
        srtp="off",
        http_port=8081,
        rtp_ports=PortRange(30000, 30999),
        sandbox=False,
        drain_seconds=0,
        trusted=("192.0.2.1/32", "10.0.0.0/8", "fd00::/8"),
        log_level="debug",
        log_format="json",
        metrics_from=("192.0.2.9/32", "2001:db8::/32"),
        mail_server=MAIL_SERVER,
        mail_from="Telephones <phones@example.com>",
        public_url="https://phones.example.com",
    )
    assert "w%40rd" not in repr(settings)
    assert not settings.is_on_loopback


def test_a_relative_data_folder_is_seen_from_where_the_command_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read({"OFFHOOK_DATA_DIR": "here"}).data_dir == tmp_path / "here"


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read({"OFFHOOK_SIP_PORT": "", "OFFHOOK_RTP_PORTS": " "}) == Settings()


def test_all_mistakes_are_told_at_once() -> None:
    told = mistakes_of(OFFHOOK_SIP_PORT="sip", OFFHOOK_ADDRESS="localhost", OFFHOOK_SANDBOX="maybe", OFFHOOK_COLOUR="red")
    assert len(told) == 4
    assert any(line.startswith("OFFHOOK_SIP_PORT='sip': must be a port from 1 to 65535") for line in told)
    assert any("OFFHOOK_COLOUR" in line and "no such setting" in line for line in told)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OFFHOOK_MAIL_FROM", "phones"),
        ("OFFHOOK_MAIL_FROM", "a@example.com, b@example.com"),
        ("OFFHOOK_MAIL_FROM", "x <a@example.com> b@example.com"),
        ("OFFHOOK_MAIL_FROM", "a@example.com\nBcc: b"),
        ("OFFHOOK_PUBLIC_URL", "phones.example.com"),
        ("OFFHOOK_PUBLIC_URL", "https://phones.example.com/pages"),
        ("OFFHOOK_PUBLIC_URL", "https://user@phones.example.com"),
        ("OFFHOOK_SIP_PORT", "0"),
        ("OFFHOOK_SIP_PORT", "65536"),
        ("OFFHOOK_SIP_PORT", "-1"),
        ("OFFHOOK_SIP_PORT", "\N{SUPERSCRIPT TWO}"),
        ("OFFHOOK_HTTP_PORT", "80.5"),
        ("OFFHOOK_RTP_PORTS", "20000"),
        ("OFFHOOK_RTP_PORTS", "20001-22000"),
        ("OFFHOOK_RTP_PORTS", "20000-20050"),
        ("OFFHOOK_RTP_PORTS", "22000-20000"),
        ("OFFHOOK_ADDRESS", "0.0.0.0"),
        ("OFFHOOK_ADDRESS", "224.0.0.1"),
        ("OFFHOOK_ADDRESS", "::1"),
        ("OFFHOOK_ADDRESS6", "127.0.0.1"),
        ("OFFHOOK_ADDRESS6", "::"),
        ("OFFHOOK_ADDRESS6", "fe80::1"),
        ("OFFHOOK_ADDRESS6", "fd00::1%eth0"),
        ("OFFHOOK_SIPS_PORT", "tls"),
        ("OFFHOOK_PING_PHONES", "sometimes"),
        ("OFFHOOK_PING_CARRIERS_SECONDS", "3601"),
        ("OFFHOOK_PING_CARRIERS_SECONDS", "often"),
        ("OFFHOOK_NEW_CALLS_PER_SECOND", "0"),
        ("OFFHOOK_MOST_CALLS", "many"),
        ("OFFHOOK_MOST_CALLS_A_USER", "0"),
        ("OFFHOOK_SESSION_SECONDS", "30"),
        ("OFFHOOK_REDIRECTS", "maybe"),
        ("OFFHOOK_SRTP", "yes"),
        ("OFFHOOK_DRAIN_SECONDS", "forever"),
        ("OFFHOOK_TRUSTED", "10.0.0.1/8"),
        ("OFFHOOK_LOG_LEVEL", "loud"),
        ("OFFHOOK_LOG_FORMAT", "xml"),
        ("OFFHOOK_METRICS_FROM", "everybody"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_variable(name: str, value: str) -> None:
    (told,) = mistakes_of(**{name: value})
    assert told.startswith(f"{name}={value!r}: must be ")


@pytest.mark.parametrize(
    "value",
    [
        "mail.example.com",
        "http://mail.example.com",
        "smtp://user@mail.example.com",
        "smtp://user:a%0d%0ab@mail.example.com",
        "smtp://user:geheim%C3%A9@mail.example.com",
        "smtp://user:geheim\u00e9@mail.example.com",
        "smtp://us%C3%A9r:word@mail.example.com",
        "smtp://mail.example.com?starttls=maybe",
        "smtps://mail.example.com?starttls=no",
        "smtp://mail.example.com?cafile=own.pem",
        "smtp://mail.example.com:99999",
    ],
)
def test_a_mail_server_that_cannot_be_used_is_told_without_its_password(value: str) -> None:
    (told,) = mistakes_of(OFFHOOK_MAIL_SERVER=value)
    assert told.startswith("OFFHOOK_MAIL_SERVER='***': must be smtp://") and "user and password of ASCII" in told and "geheim" not in told


def test_a_mail_server_and_whom_mail_is_from_are_given_together() -> None:
    assert mistakes_of(OFFHOOK_MAIL_SERVER=MAIL_SERVER)[0].startswith("OFFHOOK_MAIL_FROM=''")
    assert mistakes_of(OFFHOOK_MAIL_FROM="phones@example.com")[0].startswith("OFFHOOK_MAIL_SERVER=''")


def test_a_misspelt_name_is_told_the_right_one() -> None:
    assert mistakes_of(OFFHOOK_SIPPORT="5070") == ["OFFHOOK_SIPPORT='5070': no such setting; did you mean OFFHOOK_SIP_PORT?"]


def test_what_the_command_line_reads_is_no_mistake() -> None:
    assert read({"OFFHOOK_URL": "http://127.0.0.1:8080", "OFFHOOK_TOKEN": "secret"}) == Settings()


def test_ports_that_clash_with_each_other_are_mistakes() -> None:
    assert "OFFHOOK_SIP_PORT too" in mistakes_of(OFFHOOK_SIP_PORT="8080")[0]
    assert "within OFFHOOK_RTP_PORTS" in mistakes_of(OFFHOOK_RTP_PORTS="5000-5999")[0]
    assert "OFFHOOK_SIP_PORT or OFFHOOK_HTTP_PORT too" in mistakes_of(OFFHOOK_SIPS_PORT="5060")[0]


def test_the_port_for_tls_is_beside_that_of_sip() -> None:
    assert (Settings().sips_port, read({"OFFHOOK_SIP_PORT": "5070"}).sips_port, read({"OFFHOOK_SIP_PORT": "65535"}).sips_port) == (
        5061,
        5071,
        65534,
    )


@pytest.mark.parametrize("one, other", [("OFFHOOK_TLS_CERTIFICATE", "OFFHOOK_TLS_KEY"), ("OFFHOOK_TLS_KEY", "OFFHOOK_TLS_CERTIFICATE")])
def test_certificate_and_key_are_given_together(one: str, other: str) -> None:
    (told,) = mistakes_of(**{one: "/tls/file.pem"})
    assert told.startswith(other) and one in told


def test_an_address_for_ipv6_that_others_reach_is_off_loopback() -> None:
    assert Settings(address6="::1").is_on_loopback
    assert not Settings(address6="2001:db8::7").is_on_loopback


@pytest.mark.parametrize(
    "url",
    [
        "mysql://offhook:hidden@db/offhook", "postgresql://db/offhook", "postgresql://offhook:hidden@db", "postgresql://o:hidden@db:x/offhook",
        "postgresql://o:hidden@db/offhook?sslmode=prefer", "postgresql://o:hidden@db/offhook?options=x", "postgresql://o:hidden@/offhook",
        "offhook:hidden@db", "postgresql://o:hidden@db:0/offhook", "postgresql://o:hidden@[::1/offhook",
    ],
)  # fmt: skip
def test_an_address_of_the_database_that_is_wrong_is_told_without_its_password(url: str) -> None:
    (mistake,) = mistakes_of(OFFHOOK_DATABASE_URL=url)
    assert "OFFHOOK_DATABASE_URL" in mistake and "must be postgresql://" in mistake and "hidden" not in mistake
    (unknown,) = mistakes_of(OFFHOOK_DATABSE_URL="postgresql://offhook:hidden@db/offhook")
    assert "did you mean OFFHOOK_DATABASE_URL" in unknown and "hidden" not in unknown


def test_the_database_is_a_file_in_the_data_folder_or_where_it_is_said(tmp_path: Path) -> None:
    assert database_of(Settings(data_dir=tmp_path)) == f"sqlite:///{tmp_path}/offhook.sqlite"
    socket = "postgresql://offhook@/offhook?host=/run/postgresql"
    settings = read({"OFFHOOK_DATABASE_URL": socket})
    assert database_of(settings) == socket and "offhook@" not in repr(settings)
