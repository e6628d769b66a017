"""Making releases: one immutable body that binds everything, under the SHA-256 of its canonical JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelyard.digest import digest
from modelyard.errors import CheckFailed, Conflict
from modelyard.records import Release, Verdict, Version
from modelyard.release.names import name
from modelyard.spec.models import ApprovalRule
from modelyard.store import Held, Store


def body(model: str, version: Version, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """All that a release binds: the model version's body, what it is called, and the verdicts of its checks.

    Times and row numbers of the verdicts are left out: the same build with the same outcome is the same release.
    """
    judged = [
        {"check": each.check, "severity": each.severity, "state": each.state, "says": each.says, "detail": each.detail}
        for each in sorted(verdicts, key=lambda each: each.check)
    ]
    identity = {
        "entity": version.entity,
        "number": version.number,
        "digest": version.digest,
        "fingerprint": version.fingerprint,
    }
    return {**version.body, "model": model, "version": identity, "verdicts": judged}


def failed(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts that keep a model from being released: of error severity, and anything but a pass."""
    return [each for each in verdicts if each.severity == "error" and each.state != "pass"]


def refusal(entity: str, verdicts: Sequence[Verdict]) -> CheckFailed:
    """The error that says which checks were not passed, to be raised."""
    return CheckFailed(
        "; ".join(each.says for each in verdicts) or "a check was not passed.",
        where=entity,
        hint="It is not released; what serves stays as it is.",
    )


def create(
    store: Store,
    *,
    model: str,
    version: Version,
    verdicts: Sequence[Verdict],
    author: str,
    approval: ApprovalRule | None = None,
    why: str = "",
    fence: Held | None = None,
) -> Release:
    """Release a model version that passed its checks. The same content again is the same release.

    With an approval rule it is pending_approval, else approved. CheckFailed (recorded as release.refused) when a check
    of error severity did not pass; insufficient data is no pass.
    """
    failures = failed(verdicts)
    if failures:
        refused = refusal(version.entity, failures)
        with store.transaction(
            actor=author, action="release.refused", subject=version.entity, detail={"why": refused.message}, fence=fence
        ):
            pass
        raise refused
    content = body(model, version, verdicts)
    identity = digest(content)
    existing = store.one(Release, model=model, digest=identity)
    if existing is not None:
        return existing
    try:
        return _add(store, model, version, content, identity, author, approval, why, fence)
    except Conflict:
        existing = store.one(Release, model=model, digest=identity)
        if existing is None:
            raise
        return existing


def _add(
    store: Store,
    model: str,
    version: Version,
    content: dict[str, Any],
    identity: str,
    author: str,
    approval: ApprovalRule | None,
    why: str,
    fence: Held | None,
) -> Release:
    with store.transaction(actor=author, action="release.created", subject=f"model.{model}", fence=fence) as tx:
        if tx.one(Release, model=model, digest=identity) is not None:
            raise Conflict("this release was recorded a moment ago.", where=f"model.{model}")
        last = tx.read(Release, model=model, order="number", descending=True, limit=1)
        release = tx.add(
            Release(
                model=model,
                number=last[0].number + 1 if last else 1,
                digest=identity,
                state="approved" if approval is None else "pending_approval",
                created=store.clock.now(),
                as_of=version.as_of,
                author=author,
                body=content,
            )
        )
        waits = f"waits for {approval.required} approval(s)" if approval else "no approval is declared"
        said = f"{name(release)} passed its checks; {waits}"
        tx.detail.update(
            {"release": name(release), "digest": identity, "why": f"{why.removesuffix('.')}: {said}" if why else said}
        )
    return release
