"""Examines a table that was made, writes what is new of it, and records its version and the verdicts on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import duckdb

from modelyard.data import checks, duck, kinds, snapshot
from modelyard.data.building import Build, Declared
from modelyard.data.checks import Checked, Finding
from modelyard.data.inputs import Inputs
from modelyard.data.result import TABLE, Result
from modelyard.data.snapshot import Content
from modelyard.digest import digest
from modelyard.errors import CheckFailed
from modelyard.features.sql import identifier, identifiers
from modelyard.records import Verdict, Version


def keep(
    connection: duckdb.DuckDBPyConnection, build: Build, inputs: Inputs, result: Result, looked: Finding | None
) -> Version:
    """Examine the result, write what is new, and record the version with its verdicts, all in one transaction."""
    declared, store = build.declared, build.store
    content = snapshot.measure(connection, TABLE, result.columns)
    subject = digest({"entity": declared.entity, "fingerprint": build.fingerprint, "content": content.as_json()})
    last = build.latest
    findings = [*_findings(connection, build, result), *([looked] if looked else [])]
    if looked and looked.state == "fail":
        inputs.warnings.append(f"{declared.where}: {looked.says}")
    failed = [one for one in findings if one.severity == "error" and one.state != "pass"]
    if failed and build.gate:
        _record_verdicts(build, subject, findings, action="dataset.refused")
        raise CheckFailed(
            "; ".join(f"{one.check}: {one.says}" for one in failed),
            where=declared.where,
            hint="The last good version stands." if last else None,
        )
    if last is not None and last.digest == subject:
        seen = {"sources": inputs.sources, "next": _shown(result.next)}
        if {name: last.body.get(name) for name in seen} != seen:
            # The same rows from files that changed, or seen later: the next plan compares with what was seen now.
            return _record(build, subject, {**last.body, **seen}, findings)
        _record_verdicts(build, subject, findings, action="dataset.judged")
        return last
    table = store.table(declared.table)
    written = snapshot.keep(connection, TABLE, content, table=table, last=last, time=declared.time)
    body = _body(connection, declared, inputs, result, content, written)
    return _record(build, subject, body, findings)


def _findings(connection: duckdb.DuckDBPyConnection, build: Build, result: Result) -> list[Finding]:
    declared = build.declared
    table = Checked(
        connection,
        TABLE,
        result.columns,
        result.rows,
        declared.key,
        declared.time,
        build.as_of,
        build.caller,
    )
    return checks.examine(table, declared.checks, key=() if declared.is_view else declared.key)


def _body(
    connection: duckdb.DuckDBPyConnection,
    declared: Declared,
    inputs: Inputs,
    result: Result,
    content: Content,
    written: int,
) -> dict[str, Any]:
    """What the version records (docs: `Version.body` of datasets and feature views)."""
    warnings = [*inputs.warnings, *result.warnings]
    identity = [*declared.key, *([declared.time] if declared.time and declared.is_view else [])]
    repeated = _repeated(connection, identity) if declared.is_view else 0
    if repeated:
        what = ", ".join(identity)
        # The join takes one of them, always the same.
        warnings.append(f"{declared.where}: {repeated} rows share {what} with another; the first of each is joined")
    if declared.is_view and declared.time is None:
        warnings.append(f"{declared.where}: no time is known, so rows of any time are joined with it as it is now")
    return {
        "table": declared.table,
        "table_version": written,
        "rows": result.rows,
        "columns": {name: kinds.shown(kind) for name, kind in result.columns.items()},
        "key": list(declared.key),
        "time": declared.time,
        "known_at": [known.as_json() for known in declared.known_at],
        **_extent(connection, declared.time),
        "next": _shown(result.next),
        "distinct": declared.is_view and not repeated,
        "content": content.as_json(),
        "sources": inputs.sources,
        "inputs": inputs.upstream,
        "warnings": warnings,
    }


def _shown(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _repeated(connection: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> int:
    """How many rows share `columns` with another row; missing values are alike."""
    listed = identifiers(columns)
    groups = f"SELECT count(*) AS n FROM {TABLE} GROUP BY {listed} HAVING count(*) > 1"
    found: int = duck.row(connection, f"SELECT coalesce(sum(n), 0)::BIGINT AS n FROM ({groups})")["n"]
    return found


def _extent(connection: duckdb.DuckDBPyConnection, time: str | None) -> dict[str, str | None]:
    if time is None:
        return {"time_min": None, "time_max": None}
    column = identifier(time)
    found = duck.row(connection, f"SELECT min({column}) AS time_min, max({column}) AS time_max FROM {TABLE}")
    return {name: value.isoformat() if value else None for name, value in found.items()}


def _record(build: Build, subject: str, body: dict[str, Any], findings: Sequence[Finding]) -> Version:
    """Record the version with its verdicts: from here on it can be seen."""
    store, entity = build.store, build.declared.entity
    now = store.clock.now()
    detail = {"rows": body["rows"], "digest": subject}
    with store.transaction(
        actor=build.actor, action="dataset.built", subject=entity, detail=detail, fence=build.fence
    ) as transaction:
        before = transaction.read(Version, entity=entity, order="number", descending=True, limit=1)
        version = transaction.add(
            Version(
                entity=entity,
                number=before[0].number + 1 if before else 1,
                fingerprint=build.fingerprint,
                digest=subject,
                as_of=build.as_of,
                created=now,
                actor=build.actor,
                body=body,
            )
        )
        for verdict in _new_verdicts(build, subject, findings):
            transaction.add(verdict)
    return version


def _record_verdicts(build: Build, subject: str, findings: Sequence[Finding], *, action: str) -> None:
    """Record what the checks say about a content without a version of its own, as far as it is news."""
    news = _new_verdicts(build, subject, findings)
    if not news:
        return
    with build.store.transaction(
        actor=build.actor, action=action, subject=build.declared.entity, detail={"digest": subject}, fence=build.fence
    ) as transaction:
        for verdict in news:
            transaction.add(verdict)


def _new_verdicts(build: Build, subject: str, findings: Sequence[Finding]) -> list[Verdict]:
    """Verdicts that are not recorded yet about this content, or that changed."""
    recorded = build.store.read(Verdict, entity=build.declared.entity, subject=subject)
    known = {(digest(v.detail.get("declared")), v.severity): v.state for v in recorded}
    now = build.store.clock.now()
    return [
        finding.verdict(entity=build.declared.entity, subject=subject, at=now)
        for finding in findings
        if known.get((digest(finding.detail.get("declared")), finding.severity)) != finding.state
    ]
