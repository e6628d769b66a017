"""Mail over SMTP. The same message has the same Message-ID at every attempt, so that a mailbox shows it once."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from modelyard.channels.addresses import checked
from modelyard.channels.words import text, title
from modelyard.clock import RealClock
from modelyard.errors import Unavailable

PATIENCE = 10.0


class _Checked(smtplib.SMTP):
    """Connects to an address that was checked; the certificate is still the name's."""

    def __init__(self, address: str, host: str, port: int, **more: Any) -> None:
        self._address = address
        super().__init__(host, port, timeout=PATIENCE, **more)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return socket.create_connection((self._address, port), timeout)


class _CheckedTls(_Checked, smtplib.SMTP_SSL):
    """The same with TLS from the first byte."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = super()._get_socket(host, port, timeout)
        return self.context.wrap_socket(made, server_hostname=host)


def send(message: Mapping[str, Any], settings: Mapping[str, Any], *, key: str, allow_private: bool) -> None:
    """Send by `settings`: host, port, security, user, password, from, to. Unavailable when any receiver was refused."""
    host, port = settings["host"], int(settings["port"])
    address = checked(host, port, allow_private=allow_private)
    try:
        with _connected(settings, address) as server:
            if settings["security"] == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.get("user"):
                server.login(settings["user"], settings["password"])
            refused = server.send_message(compose(message, settings, key))
    except (smtplib.SMTPException, OSError, ValueError) as error:
        code = f" {error.smtp_code}" if isinstance(error, smtplib.SMTPResponseException) else ""
        raise Unavailable(f"the mail server did not take it: {type(error).__name__}{code}") from None
    if refused:
        raise Unavailable(f"the mail server refused {len(refused)} of the receivers")


def _connected(settings: Mapping[str, Any], address: str) -> smtplib.SMTP:
    host, port = settings["host"], int(settings["port"])
    if settings["security"] == "tls":
        return _CheckedTls(address, host, port, context=ssl.create_default_context())
    return _Checked(address, host, port)


def compose(message: Mapping[str, Any], settings: Mapping[str, Any], key: str) -> EmailMessage:
    """The mail. Line breaks in what is told cannot become headers."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(title(message).split())[:200]
    mail["From"] = settings["from"]
    mail["To"] = ", ".join(settings["to"])
    mail["Date"] = format_datetime(RealClock().now())
    mail["Message-ID"] = f"<{key}@modelyard>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text(message))
    return mail
