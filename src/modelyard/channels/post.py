"""Post JSON to a URL that somebody declared: to a checked address, no redirects, no proxies, nothing read but the status."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx
from httpx import create_ssl_context

from modelyard.channels.addresses import checked
from modelyard.errors import InputError, Unavailable

_tls = cache(create_ssl_context)
PATIENCE = httpx.Timeout(10.0, connect=5.0)


def post(url: str, body: Any, *, key: str, allow_private: bool, headers: Mapping[str, str] | None = None) -> None:
    """Post once. Unavailable when the receiver did not accept it; errors never hold the URL, which may be a secret."""
    try:
        target = httpx.URL(url)
        port = target.port or {"http": 80, "https": 443}[target.scheme]
        host = target.host
    except (httpx.InvalidURL, KeyError, TypeError, ValueError):
        raise InputError("its URL is none that begins with https:// or http://") from None
    if not host:
        raise InputError("its URL names no host")
    address = checked(target.raw_host.decode("ascii"), port, allow_private=allow_private)
    sent = {**(headers or {}), "Host": target.netloc.decode("ascii"), "Idempotency-Key": key, "User-Agent": "modelyard"}
    try:
        with (
            httpx.Client(verify=_tls(), timeout=PATIENCE, trust_env=False, follow_redirects=False) as client,
            client.stream(
                "POST",
                target.copy_with(host=address, port=target.port),
                json=body,
                headers=sent,
                # The certificate is still the name's, not the address's.
                extensions={"sni_hostname": target.raw_host.decode("ascii")},
            ) as response,
        ):
            status = response.status_code
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise Unavailable(f"no answer: {type(error).__name__}") from None
    if 300 <= status < 400:
        raise Unavailable(f"it answered {status}: redirects are not followed")
    if not 200 <= status < 300:
        raise Unavailable(f"it answered {status}")
