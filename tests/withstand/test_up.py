"""The control API of a running yard: strangers, nonsense, and the same answers as the command line gives beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from withstand_yard import AS_OF, Up, make, up

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A yard that runs; one release waits for approval."""
    yard = make(tmp_path_factory.mktemp("up") / "shop")
    yard.environment = {"YARD_ACTOR": "ada"}
    yard.edit("{schedule: 28d}, ", "")
    said = yard.apply()
    assert said.code == 0, said.out + said.err
    yard.edit("    params: {C: 1.0}\n", "    params: {C: 0.9}\n    approval: {required: 2, roles: [model_owner]}\n")
    assert yard.apply().code == 0
    assert [each["state"] for each in yard.releases] == ["live", "pending_approval"]
    with up(yard) as up_and_running:
        yield up_and_running


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code"),
    [
        ("GET", "/status", {"headers": {"host": "evil.example"}}, 421, "misdirected"),
        ("GET", "/status", {"headers": {"origin": "http://evil.example"}}, 403, "foreign_origin"),
        ("POST", "/apply", {"headers": {"origin": "null"}, "json": {}}, 403, "foreign_origin"),
        ("POST", "/apply", {"content": b"{}", "headers": {"content-type": "text/plain"}}, 415, "wrong_type"),
        ("POST", "/apply", {"content": b"{", "headers": JSON}, 400, "invalid_json"),
        ("POST", "/apply", {"content": b"[]", "headers": JSON}, 400, "invalid_json"),
        ("POST", "/apply", {"json": {"x": 1}}, 422, "bad_input"),
        ("POST", "/apply", {"json": {"as_of": 5}}, 422, "bad_input"),
        ("POST", "/apply", {"json": {"frozen": "x"}}, 422, "bad_input"),
        ("POST", "/apply", {"json": {"frozen": {"digest": "x"}}}, 409, "stale_plan"),
        ("POST", "/simulate", {"json": {"start": None, "end": "2024-03-01"}}, 422, "bad_input"),
        ("POST", "/simulate", {"json": {"start": "2024-02-01", "end": "2024-03-01", "vary": "a"}}, 422, "bad_input"),
        ("POST", "/releases/approve", {"json": {"ref": {"a": 1}}}, 422, "bad_input"),
        (
            "POST",
            "/releases/rollback",
            {"json": {"ref": "x"}, "headers": {"x-yard-actor": "x" * 999}},
            422,
            "bad_input",
        ),
        ("GET", "/audit?limit=99999999999999999999", {}, 422, "bad_input"),
        ("GET", "/audit?limit=-1", {}, 422, "bad_input"),
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("GET", "/apply", {}, 405, "method_not_allowed"),
    ],
)
def test_strangers_and_nonsense_are_refused(
    running: Up, method: str, path: str, sent: dict[str, Any], status: int, code: str
) -> None:
    answer = httpx.request(method, f"{running.api}/api/v1{path}", timeout=30, **sent)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("plan", "--as-of", AS_OF),
        ("release", "list"),
        ("release", "show", "buys@1"),
        ("release", "show", "nope@1"),
        ("release", "diff", "buys@1", "buys@2"),
        ("release", "approve", "buys@2"),
        ("monitor", "show", "nope"),
        ("audit", "verify"),
        ("simulate", "--from", "2024-03-01", "--to", "2024-02-01"),
    ],
    ids=" ".join,
)
def test_a_command_elsewhere_is_the_command_here(running: Up, words: tuple[str, ...]) -> None:
    here, there = running.yard.yard(*words, "--json"), running.yard.yard(*words, "--json", YARD_URL=running.api)
    assert (there.code, _timeless(there.out)) == (here.code, _timeless(here.out))


def _timeless(text: str) -> str:
    return re.sub(r'"as_of": "2[^"]*"', "", text)


def test_mistakes_of_a_declaration_come_back_with_their_places(running: Up) -> None:
    path = Path(running.yard.directory) / "yard.yaml"
    text = path.read_text()
    try:
        path.write_text(text + "modls: {}\n")
        here, there = (
            running.yard.yard("validate", "--json"),
            running.yard.yard("validate", "--json", YARD_URL=running.api),
        )
    finally:
        path.write_text(text)
    assert here.code == there.code == 2 and here.json == there.json and here.json["errors"][0]["line"] > 1


def test_an_apply_elsewhere_fails_with_the_same_code(running: Up) -> None:
    said = running.yard.yard("predict", "buys-api", "a.csv", "-o", "b.csv", YARD_URL=running.api)
    assert said.code == 2 and "YARD_URL" in said.err


def test_labels_once_again_different_and_corrected(running: Up) -> None:
    assert running.predict("r1").status_code == running.predict("r1").status_code == 200
    assert running.predict("r1", pages=9).status_code == 409
    statuses = [running.feedback("r1", 1), running.feedback("r1", 1), running.feedback("r1", 0)]
    assert [each.status_code for each in statuses] == [200, 200, 409]
    assert running.feedback("r1", 0, correct=True).status_code == 200
    assert running.feedback("never-asked", 0).status_code == 202


def test_fifty_approvals_at_once_are_one_transition(running: Up) -> None:
    url = f"{running.api}/api/v1/releases/approve"

    def approve(actor: str) -> int:
        return httpx.post(url, json={"ref": "buys@2"}, headers={"X-Yard-Actor": actor}, timeout=120).status_code

    assert approve("ada") == 403, "its author"
    assert approve("bob") == 200
    assert running.yard.releases[1]["state"] == "pending_approval"
    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(approve, ["bob"] * 25 + [f"person-{n}" for n in range(25)]))
    assert set(statuses) <= {200, 409} and 200 in statuses
    assert [each["state"] for each in running.yard.releases] == ["retired", "live"]
    entries = running.yard.yard("audit", "list", "--limit", "500", "--json").json["entries"]
    replaced = [each for each in entries if each["action"] == "rollout.replaced"]
    assert len(replaced) == 2, "the first release, and this one"
    assert running.yard.yard("audit", "verify").code == 0
