"""Passwords and tokens."""

import hashlib

from offhook.services.secrets import derive, ha1, new_password, new_token, same, token_hash


def test_a_password_is_kept_as_the_digests_of_the_rfcs_own_example() -> None:
    # RFC 7616 3.9.1: the same user, realm and password by both algorithms; the response there is computed from these.
    kept = ha1("Mufasa", "http-auth@example.org", "Circle of Life")

    def response(algorithm: str, secret: str) -> str:
        def digest(text: str) -> str:
            return hashlib.new(algorithm, text.encode()).hexdigest()

        nonce, cnonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
        return digest(f"{secret}:{nonce}:00000001:{cnonce}:auth:{digest('GET:/dir/index.html')}")

    assert response("md5", kept.ha1_md5) == "8ca523f5e9506fed4657c9700eebdbec"
    assert response("sha256", kept.ha1_sha256) == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


def test_what_is_derived_is_the_same_for_the_same_key_and_label_only() -> None:
    password = derive(b"key", "anna")
    assert password == derive(b"key", "anna")
    assert len({password, derive(b"key", "ben"), derive(b"other key", "anna"), new_password(), new_password()}) == 5


def test_a_password_can_be_read_aloud() -> None:
    for password in (derive(b"key", "anna"), new_password()):
        groups = password.split("-")
        assert [len(group) for group in groups] == [5, 5, 5, 5]
        assert not set("ilou") & set(password) and password == password.lower()


def test_a_token_is_not_its_hash() -> None:
    token = new_token()
    assert token != new_token() and len(token) >= 43
    assert len(token_hash(token)) == 64 and token not in token_hash(token)
    assert same(token, token) and not same(token, token + "x") and not same("é", "e")
