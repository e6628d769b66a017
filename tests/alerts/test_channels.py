"""Channels on the wire: what receivers get, what counts as delivered, and where no connection goes."""

from __future__ import annotations

import socket
from email import message_from_string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard import plugins
from modelyard.channels import addresses, mail, words
from modelyard.channels.post import post
from modelyard.errors import InputError, NotFound, Refused, Unavailable, YardError

MESSAGE = {
    "event": "opened",
    "id": 7,
    "kind": "drift",
    "subject": "deployment.late-api",
    "priority": "P1",
    "project": "flights",
    "says": "distance <moved> & grew",
}


def send(way: str, settings: dict[str, Any], *, key: str = "k1", allow_private: bool = True, **more: Any) -> None:
    plugins.channel(way)({**MESSAGE, **more}, settings, key=key, allow_private=allow_private)


def test_a_webhook_gets_the_message_its_key_and_the_declared_headers(web: Any) -> None:
    send("webhook", {"url": web.url, "headers": {"Authorization": "Bearer s3cret"}})
    assert web.got == [MESSAGE]
    (headers,) = web.headers
    assert (headers["Idempotency-Key"], headers["Authorization"]) == ("k1", "Bearer s3cret")


def test_slack_gets_text_in_which_nothing_is_markup(web: Any) -> None:
    send("slack", {"url": web.url})
    (body,) = web.got
    assert set(body) == {"text"}
    assert "distance &lt;moved&gt; &amp; grew" in body["text"] and "[P1]" in body["text"]


def settings_of(port: int, **more: Any) -> dict[str, Any]:
    server = {"host": "localhost", "port": port, "security": "none", "from": "yard@example.org"}
    return {**server, "to": ["a@example.org", "b@example.org"], **more}


def test_mail_reaches_all_under_one_message_id(mails: Any) -> None:
    for _ in range(2):
        send("email", settings_of(mails.port))
    first, second = [message_from_string(each) for each in mails.got]
    assert first["Message-ID"] == second["Message-ID"] == "<k1@modelyard>"
    assert first["To"] == "a@example.org, b@example.org" and "drift" in first["Subject"]
    assert "yard alert ack 7" in first.get_payload()
    assert first["Date"], "RFC 5322 asks for it, and filters of spam do"


def test_a_refused_receiver_is_no_delivery(mails: Any) -> None:
    mails.refused = {"b@example.org"}
    with pytest.raises(Unavailable, match="refused 1 of the receivers"):
        send("email", settings_of(mails.port))


def test_a_mail_server_without_tls_gets_nothing_where_tls_is_declared(mails: Any) -> None:
    with pytest.raises(Unavailable):
        send("email", settings_of(mails.port, security="starttls"))
    assert mails.got == []


@given(st.text())
def test_nothing_that_is_told_becomes_a_header(says: str) -> None:
    told = {**MESSAGE, "says": says, "subject": f"x\r\nBcc: {says}"}
    made = mail.compose(told, settings_of(25), "k")
    assert set(made.keys()) >= {"Subject", "From", "To"} and "Bcc" not in made
    assert "\n" not in str(made["Subject"])


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 429, 500, 503])
def test_only_success_is_delivery_and_redirects_are_not_followed(web: Any, status: int) -> None:
    web.status = status
    with pytest.raises(Unavailable, match=str(status)):
        send("webhook", {"url": web.url})
    assert len(web.got) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://LOCALHOST.:{port}/",
        "http://0.0.0.0:{port}/",
        "http://[::]:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f.1:{port}/",
        "http://0177.0.0.1:{port}/",
        "http://user@127.0.0.1:{port}/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.1.2.3/",
        "http://[fd00::1]/",
        "http://[fe80::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
    ],
)
def test_private_addresses_are_not_connected_to(web: Any, url: str) -> None:
    port = web.url.rsplit(":", 1)[1].partition("/")[0]
    with pytest.raises(YardError) as caught:
        post(url.format(port=port), MESSAGE, key="k", allow_private=False)
    assert isinstance(caught.value, Refused | Unavailable | InputError) and web.got == []


def test_a_mail_server_on_a_private_address_is_not_connected_to(mails: Any) -> None:
    with pytest.raises(Refused, match="private network"):
        send("email", settings_of(mails.port), allow_private=False)


@pytest.mark.parametrize("url", ["", "ftp://example.org/", "file:///etc/passwd", "http://", "//x", "http://a b/", "x"])
def test_what_is_no_web_address_is_said_to_be_none(url: str) -> None:
    with pytest.raises((InputError, Unavailable)):
        post(url, MESSAGE, key="k", allow_private=True)


def test_a_name_that_leads_elsewhere_a_moment_later_is_connected_to_as_it_was_checked(
    web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public when it is checked, this machine when it is looked up again."""
    real, asked = socket.getaddrinfo, []

    def rebinding(host: Any, *words: Any, **named: Any) -> Any:
        if host not in ("evil.example", b"evil.example"):
            return real(host, *words, **named)
        asked.append(host)
        return real("203.0.113.7" if len(asked) > 1 else "127.0.0.1", *words, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    url = web.url.replace("127.0.0.1", "evil.example")
    post(url, MESSAGE, key="k", allow_private=True)
    assert len(asked) == 1, "a name is looked up once"
    assert web.headers[0]["Host"].startswith("evil.example:")


def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET, 1, 6, "", ("93.184.215.14", 80)), (socket.AF_INET, 1, 6, "", ("10.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *words, **named: both)
    with pytest.raises(Refused):
        addresses.checked("both.example", 80, allow_private=False)
    assert addresses.checked("both.example", 80, allow_private=True) == "93.184.215.14"


def test_errors_do_not_hold_the_secret_in_a_url(web: Any) -> None:
    web.status = 500
    for url in (f"{web.url}?token=s3cret", "http://127.0.0.1:1/s3cret", "nonsense://s3cret", "http://s3cret.invalid/"):
        with pytest.raises(YardError) as caught:
            post(url, MESSAGE, key="k", allow_private=True)
        assert "s3cret" not in str(caught.value)


def test_our_own_channels_enter_by_the_plugin_door() -> None:
    assert all(callable(plugins.channel(name)) for name in ("webhook", "slack", "email"))
    with pytest.raises(NotFound, match="pigeon"):
        plugins.channel("pigeon")


def test_words_say_what_happened_to_an_alert() -> None:
    assert "over" in words.title({**MESSAGE, "event": "resolved"})
    assert "ack" not in words.text({**MESSAGE, "event": "resolved"})
