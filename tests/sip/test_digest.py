"""Digest answers against the examples of the RFCs."""

from sipmessage import Response

from offhook.sip.digest import Challenge, challenge_in, credentials, ha1, read_challenge
from offhook.sip.headers import IndexedHeaders

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def rfc_7616(algorithm: str) -> str:
    challenge = Challenge("http-auth@example.org", NONCE, algorithm, OPAQUE, qop=True)
    hashed = ha1("Mufasa", challenge.realm, "Circle of Life", algorithm)
    return credentials(challenge, method="GET", uri="/dir/index.html", username="Mufasa", hashed=hashed, cnonce=CNONCE)[1]


def test_the_examples_of_rfc_7616() -> None:
    assert 'response="8ca523f5e9506fed4657c9700eebdbec"' in rfc_7616("MD5")
    sha = rfc_7616("SHA-256")
    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in sha
    assert f'opaque="{OPAQUE}"' in sha
    assert "nc=00000001" in sha and "qop=auth" in sha and "algorithm=SHA-256" in sha


def test_the_example_of_rfc_2617() -> None:
    challenge = Challenge("testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", qop=True)
    hashed = ha1("Mufasa", challenge.realm, "Circle Of Life")
    assert hashed == "939e7578ed9e3c518a452acee763bce9"
    value = credentials(challenge, method="GET", uri="/dir/index.html", username="Mufasa", hashed=hashed, cnonce="0a4f113b")[1]
    assert 'response="6629fae49393a05397450978507c4ef1"' in value


def test_without_qop_the_old_proof_is_given() -> None:
    # md5(HA1:nonce:HA2) computed with coreutils: HA1 "u:r:p", nonce "n", HA2 "REGISTER:sip:r".
    challenge = Challenge("r", "n")
    value = credentials(challenge, method="REGISTER", uri="sip:r", username="u", hashed=ha1("u", "r", "p"))[1]
    assert 'response="5790559ba44538767b07fb5adb649909"' in value
    assert "qop" not in value and "cnonce" not in value


def test_quotes_and_backslashes_are_escaped() -> None:
    value = credentials(Challenge('a"b\\c', "n"), method="A", uri="sip:b", username="u", hashed="0")[1]
    assert 'realm="a\\"b\\\\c"' in value
    read = read_challenge(value.replace("username=", "x="))
    assert read is not None and read.realm == 'a"b\\c'


def test_challenges_as_servers_write_them() -> None:
    found = read_challenge('Digest realm="a, b",nonce=xyz , qop="auth-int, auth", algorithm=md5, stale=TRUE,opaque=""')
    assert found == Challenge("a, b", "xyz", "MD5", "", qop=True, stale=True)
    for useless in (
        'Basic realm="x"',
        'Digest realm="x"',
        'Digest nonce="x"',
        'Digest realm="x", nonce="y", algorithm=MD5-sess',
        'Digest realm="x", nonce="y", qop="auth-int"',
        "",
        'Digest realm="x, nonce=y',
    ):
        assert read_challenge(useless) is None, useless


def test_the_better_of_two_challenges_is_taken_and_names_its_answer() -> None:
    response = Response(407, "Who are you")
    response.headers = IndexedHeaders()
    response.headers.add("Proxy-Authenticate", 'Digest realm="r", nonce="1", algorithm=MD5')
    response.headers.add("Proxy-Authenticate", 'Digest realm="r", nonce="2", algorithm=SHA-256')
    found = challenge_in(response)
    assert found is not None
    assert (found.nonce, found.algorithm, found.header) == ("2", "SHA-256", "Proxy-Authorization")
    assert challenge_in(Response(401, "No challenge")) is None
