"""Results as words for a person at a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from modelyard.cli.output import table

Json = dict[str, Any]
MOST = 60
"""So many characters of a value stand in a line."""
MARKS = {"done": "✓", "failed": "✗", "skipped": "-"}


def init(value: Json, directory: Path) -> None:
    """The files written, and what to do next."""
    for path in value["files"]:
        click.echo(f"  {path}")
    click.echo(
        f"\nRead {directory}/yard.yaml, then:\n\n  yard plan --project {directory}\n  yard apply --project {directory}"
    )


def validate(value: Json) -> None:
    """What the declaration holds."""
    click.echo(f"{value['project']}: valid")
    for kind in ("sources", "datasets", "features", "models", "deployments", "monitors", "triggers"):
        if value[kind]:
            click.echo(f"  {kind:<12} {', '.join(value[kind])}")
    for warning in value["warnings"]:
        click.echo(f"! {warning}")


def plan(value: Json) -> None:
    """Each change with its reason."""
    if not value["changes"]:
        click.echo("nothing to do: what is declared holds")
        return
    table(
        [(c["entity"], c["category"], c["action"], c["why"]) for c in value["changes"]],
        ("ENTITY", "CATEGORY", "ACTION", "WHY"),
    )


def applied(value: Json) -> None:
    """How each step went, and what is waited for."""
    if not value["results"]:
        click.echo("nothing to do: what is declared holds")
    for result in value["results"]:
        click.echo(f"{MARKS[result['state']]} {result['entity']}: {result['says']}")
    for waiting in value["waiting"]:
        click.echo(f"… {waiting}")


def status(value: Json) -> None:
    """What serves, what is pending, what is wrong."""
    click.echo(value["project"])
    for item in value["deployments"]:
        arms = ", ".join(f"{arm['arm']} {arm['release']} {arm['weight']:.0%}" for arm in item["arms"])
        shadows = ", ".join(f"shadow {arm['release']}" for arm in item.get("shadows", ()))
        click.echo(f"  {item['name']:<20} {'; '.join(filter(None, (arms, shadows))) or 'not serving yet'}")
        _policy(item.get("policy"))
        _slo(item.get("slo", ()))
    for text in value["pending"]:
        click.echo(f"… {text}")
    for alert in value["alerts"]:
        click.echo(f"! {_alert(alert)}")
        for channel in alert["undelivered"]:
            click.echo(f"    {channel} could not be told yet: see yard alert list")


def _slo(objectives: Sequence[Json]) -> None:
    """What is left of the budgets of declared service levels."""
    for each in objectives:
        left = "no request yet" if each["left"] is None else f"{each['left']:.0%} of the budget left"
        click.echo(f"    {each['objective']}: {left}, {each['bad']:,} of {each['requests']:,} requests were bad")


def _policy(policy: Json | None) -> None:
    """What the input policy did during the last day, where it did something."""
    if policy is None or not (policy["uses"] or policy["fallback"]):
        return
    acted = [f"{each['input'] or 'other columns'} {each['code']} {each['rows']:,}" for each in policy["uses"][:5]]
    fallen = [f"fallback answered {policy['fallback']:,}"] if policy["fallback"] else []
    click.echo(f"    input policy, of {policy['rows']:,} rows in a day: {', '.join(fallen + acted)}")


def _alert(alert: Json) -> str:
    """One alert in a line."""
    taken = " (taken over)" if alert["state"] == "acknowledged" else ""
    return f"{alert['id']} {alert['level']} {alert['kind']} {alert['subject']}{taken}: {alert['says']}"


def kpis(value: Json) -> None:
    """Each figure with what releases moved, then the return on each model."""
    for each in value["kpis"]:
        last = f"{each['values'][-1]['value']:.6g} {each['unit']}".rstrip() if each["values"] else "no value yet"
        click.echo(f"{each['name']} ({each['direction']} is better): {last}, {each['periods']} periods")
        for moved in each["releases"]:
            click.echo(f"  {moved['release']:<12} since {moved['at'][:10]}  {moved['says']}")
        for arm in each["arms"]:
            since = f" since {arm['at'][:10]}" if arm["at"] else ""
            click.echo(f"  arm {arm['release']:<12}{since} {arm['says']}")
    if not value["kpis"]:
        click.echo("no KPI is declared")
    rows = [
        (
            each["model"],
            "unknown" if each["value"] is None else _span(each["value"]),
            f"{each['training']['cost']:.2f} ({each['training']['cpu_hours']:.3g} CPU h, {each['training']['runs']} runs)",
            f"{each['serving']['cost']:.2f} ({each['serving']['predictions']:,} rows)",
            "unknown" if each["net"] is None else f"{each['net']:.2f} {each['currency']}".rstrip(),
        )
        for each in value["returns"]
    ]
    table(rows, ("MODEL", "VALUE MOVED", "TRAINING", "SERVING", "NET"))


def _span(value: Json) -> str:
    return f"{value['estimate']:.2f} ({value['low']:.2f} to {value['high']:.2f})"


def pushed(value: Json) -> None:
    """What became of the values."""
    click.echo(f"{value['recorded']} recorded, {value['corrected']} corrected, {value['unchanged']} unchanged")


def triggers(value: Json) -> None:
    """What each trigger would do now, and what each of its conditions says."""
    for each in value["triggers"]:
        click.echo(f"{each['name']} ({', '.join(each['do'])} {each['model']}): {'fires' if each['fires'] else 'rests'}")
        click.echo(f"  because {each['why']}")
        for condition in each["conditions"]:
            click.echo(f"  {_HOLDS[condition['holds']]} {condition['says']}")
        for last in each["last"]:
            click.echo(f"  last: {last['at'][:16]} {last['kind']} {last['state']} {last['outcome']}".rstrip())
    if not value["triggers"]:
        click.echo("no trigger is declared")


_HOLDS = {True: "[yes]", False: "[no] ", None: "[?]  "}


def alerts(value: Json) -> None:
    """Each alert, and who was told."""
    for alert in value["alerts"]:
        click.echo(f"{alert['at'][:16]} {alert['priority']} {alert['state']:<12} {_alert(alert)}")
        if alert["by"]:
            click.echo(f"    {alert['state']} by {alert['by']} {alert['note']}".rstrip())
        for each in alert["messages"]:
            click.echo(f"    {each['channel']}: {each['event']}, {each['state']} {each['outcome']}".rstrip())
    if not value["alerts"]:
        click.echo("no alert")


def alert(value: Json) -> None:
    """What became of an alert."""
    click.echo(f"alert {value['id']} ({value['kind']}, {value['subject']}) is {value['state']}")


def releases(value: Json) -> None:
    """One line a release."""
    table(
        [
            (r["name"], r["state"], r["aliases"], r["created"][:19], r["as_of"][:10], r["digest"][:12])
            for r in value["releases"]
        ],
        ("RELEASE", "STATE", "ALIASES", "CREATED", "DATA AS OF", "DIGEST"),
    )
    if not value["releases"]:
        click.echo("no release yet")


def release(value: Json) -> None:
    """What a release binds and what happened to it."""
    body = value["body"]
    click.echo(f"{value['name']}  {value['state']}  {value['digest']}")
    click.echo(f"  {value['why']['says']}")
    for guard in value["why"]["guards"]:
        margin, alpha = guard.get("margin", ""), guard.get("alpha", 0)
        click.echo(f"    {guard['verdict']:<10} {guard['says']} (margin {margin}, alpha {alpha:.2g})")
    click.echo(f"  data as of  {value['as_of']}, author {value['author']}")
    click.echo(f"  dataset     {body['dataset']['entity']} {body['dataset']['digest'][:12]}")
    if body.get("window"):
        click.echo(f"  trained on  {body['window']['says']}")
    click.echo(f"  code        {body['code']['function']} {body['code']['fingerprint'][:12]}")
    click.echo(f"  params      {body['params']}, seed {body['seed']}")
    for part, values in body.get("metrics", {}).items():
        if values:
            told = ", ".join(
                f"{name} {number:.4g}" for name, number in values.items() if isinstance(number, (int, float))
            )
            click.echo(f"  {part:<11} {told}")
    for verdict in body.get("verdicts", ()):
        click.echo(f"  {verdict['state']:<18} {verdict['says']}")
    for event in value["history"]:
        click.echo(f"  {event['at'][:19]}  {event['actor']}: {event['action']} {event['why']}".rstrip())


def decided(value: Json) -> None:
    """The state after a decision."""
    click.echo(f"{value['name']} is {value['state'].replace('_', ' ')}")


def promoted(value: Json) -> None:
    """What serves now."""
    for says in value["promoted"]:
        click.echo(says)


def rolled_back(value: Json) -> None:
    """What serves now."""
    for says in value["rolled_back"]:
        click.echo(says)


def difference(value: Json) -> None:
    """One line for each thing in which two releases differ, and what they share."""
    rows = [(each["path"], _short(each["from"]), _short(each["to"])) for each in value["changes"]]
    if rows:
        table(rows, ("PART", value["a"], value["b"]))
        click.echo(f"the same: {', '.join(value['same']) or 'nothing'}")
    else:
        click.echo(f"{value['a']} and {value['b']} do not differ")


def _short(value: Any) -> Any:
    """A value of a release for a line of a table: digests, times and lists no longer than people read them."""
    if value is None or isinstance(value, float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if re.fullmatch(r"[0-9a-f]{64}", text):
        return text[:12]
    if re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:", text):
        return text[:16].replace("T", " ")
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"


def checked_out(value: Json) -> None:
    """The folder of a release, and what is not there."""
    click.echo(value["folder"])
    for each in value["missing"]:
        click.echo(f"! {each}")
    if value["missing"]:
        click.echo("  The rows that it was trained on are in the store: `yard release reproduce` needs no sources.")


def reproduced(value: Json) -> None:
    """Whether the release could be built again."""
    click.echo(value["says"])


def predicted(value: Json) -> None:
    """How many rows were answered."""
    click.echo(f"{value['rows']:,} rows answered, {value['warnings']:,} warnings: {value['out']}")


def fed_back(value: Json) -> None:
    """How many labels were taken, and how."""
    meaning = {"200": "recorded", "202": "kept for a prediction that is not known yet", "409": "refused: another label"}
    for status, count in sorted(value["statuses"].items()):
        click.echo(f"{count:,} {meaning.get(status, f'refused ({status})')}")


def monitors(value: Json, html: Path | None = None) -> None:
    """What alarms now, and the newest observations."""
    for item in value["monitors"]:
        click.echo(item["monitor"])
        if "between" in item:
            _between(item["between"])
            continue
        if not item["observations"]:
            click.echo("  nothing observed yet")
        for alarm in item["alarms"]:
            now = f" Now: {alarm['now']}" if alarm["now"] else ""
            says = alarm["message"] or alarm["says"]
            click.echo(f"! {alarm['level']} {alarm['kind']} since {alarm['since'][:10]}: {says}{now}")
        for seen in item["observations"][:20]:
            click.echo(f"  {seen['end'][:16]}  {seen['level']:<18} {seen['kind']:<10} {seen['says']}")
    if html is not None:
        click.echo(f"pictures: {html}")


def _between(value: Json) -> None:
    """What was answered in a stretch of time, by release."""
    slow = f", 95% of the requests within {value['latency_p95']:.3g} ms" if value["latency_p95"] is not None else ""
    click.echo(
        f"  {value['start'][:16]} to {value['end'][:16]}: {value['rows']} rows, {value['errors']} without answer{slow}"
    )
    for each in value["releases"]:
        click.echo(f"  {each['release']}: {each['rows']} rows")
        for kind, level in each["levels"].items():
            click.echo(f"    {level:<18} {kind:<10} {each['says'][kind]}")


def simulated(value: Json, report: Path | None) -> None:
    """Quality window by window, what happened, and the verdict."""
    for block in value.get("variants") or [value]:
        if "name" in block:
            click.echo(f"\n{block['name']}")
        summary = block["summary"]
        table(
            [
                (w["start"][:10], w["end"][:10], w["rows"], w["policy"], w["static"], w["release"])
                for w in block["windows"]
            ],
            ("FROM", "TO", "LABELLED", f"POLICY {summary['metric']}", "STATIC", "RELEASE"),
        )
        click.echo(verdict(summary))
    if report is not None:
        click.echo(f"report: {report}")


def verdict(summary: Json) -> str:
    """One honest sentence about policy and static."""
    from modelyard.ui.verdict import counted

    happened = f"{', '.join(counted(summary))} in {summary['seconds']:.0f} s"
    policy, static = summary["policy"], summary["static"]
    if policy is None or static is None:
        return f"too few labels to compare; {happened}"
    gain = (static - policy) if summary["better"] == "lower" else (policy - static)
    says = "beats" if gain > 0 else "is no better than"
    return f"the policy {says} the static model: {summary['metric']} {policy:.4f} against {static:.4f}; {happened}"


def audit(value: Json) -> None:
    """One line an entry."""
    for entry in value["entries"]:
        why = entry["detail"].get("why", "")
        click.echo(
            f"{entry['sequence']:>6}  {entry['at'][:19]}  {entry['actor']:<16} {entry['action']:<22} {entry['subject']} {why}".rstrip()
        )


def verified(value: Json) -> None:
    """Whether the chain holds."""
    click.echo(
        "the audit trail is whole"
        if value["ok"]
        else f"the audit trail does not hold from entry {value['first_bad']} on"
    )


def doctor(value: Json) -> None:
    """One line a check."""
    for item in value["checks"]:
        click.echo(f"{'✓' if item['ok'] else '✗'} {item['name']:<12} {item['says']}")
