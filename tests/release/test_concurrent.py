"""Only rows of the same time are compared: what the champion answered before the challenger was loaded is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from modelyard.release import tally
from modelyard.release.evidence import divided
from modelyard.release.state import Rollout
from modelyard.release.tally import Key
from modelyard.spec.deployments import DeploymentSpec

START = datetime(2024, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def rollout(kind: str, step: int = 0, entries: int = 1) -> Rollout:
    times = tuple(START + number * HOUR for number in range(entries))
    return Rollout(kind=kind, release="new", champion="old", phase="steps", step=step, started=START, entries=times)


@pytest.mark.parametrize(
    ("strategy", "step", "entries", "expected"),
    [
        ({"canary": {"steps": [{"traffic": "5%"}, {"traffic": "100%"}]}}, 0, 1, (True,)),
        ({"canary": {"steps": [{"shadow": "100%"}, {"traffic": "5%"}, {"traffic": "100%"}]}}, 1, 2, (False, True)),
        ({"ab_test": {}}, 0, 1, (True,)),
        ({"bandit": {}}, 1, 3, (True, True, True)),
        ({"shadow": {}}, 0, 1, (False,)),
    ],
)
def test_in_which_steps_traffic_is_divided(strategy, step, entries, expected):
    declared = DeploymentSpec.model_validate({"model": "late", "strategy": strategy}).strategy
    assert divided(declared, rollout(declared.kind, step, entries)) == expected


@pytest.mark.parametrize(("step_is_divided", "counted"), [(True, 3), (False, 5)])
def test_rows_of_the_champion_while_all_traffic_was_its_own_count_only_where_it_is_not_divided(
    step_is_divided, counted
):
    rows = pa.table(
        {
            "at": pa.array([START + HOUR * number / 10 for number in range(8)], pa.timestamp("us", "UTC")),
            "row": [0] * 8,
            "arm": ["champion"] * 5 + ["challenger"] * 3,
            "role": ["answer"] * 8,
            "release": ["old"] * 5 + ["new"] * 3,
            "error": ["x", "x", "", "", "x", "", "", ""],
            "propensity": [1.0, 1.0, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1],
        }
    )
    key = Key(("new",), "old", False, (START,), ("error_rate",), False, (step_is_divided,))
    found = tally.of_rows(rows, key)
    assert (found[""].rows.tolist(), found["new"].rows.tolist()) == ([counted], [3])
    assert found[""].bad["error_rate"].tolist() == [counted - 2]
