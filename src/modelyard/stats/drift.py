"""Compare a window with its reference, column by column: is anything new, how much, and of what kind?

Two questions must both be answered yes before a column alarms. Is it more than chance: one test per check, Benjamini-
Hochberg over all tests of the window at `q`. Is it enough to matter: an effect size of its own per check, beyond what
the reference's own windows do (`natural`). So an alarm depends neither on the number of rows nor on the season that
the reference has seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from modelyard.stats import causes
from modelyard.stats.causes import Cause
from modelyard.stats.checks import ALPHA, PAGE, WARN, Finding, Limits, column_findings, row_findings
from modelyard.stats.profile import Column, Profile
from modelyard.stats.says import rows_told, sentence, summary
from modelyard.stats.significance import discoveries

Verdict = Literal["ok", "info", "warn", "page", "insufficient_data"]
LEVELS: tuple[Verdict, ...] = ("ok", "info", "warn", "page")
ROWS = "(rows)"
FEWEST_ROWS = 200
HOPELESS = 30
"""With fewer rows nothing is said but that they are too few; up to `min_rows` an alarm is told, its absence is not."""


@dataclass(frozen=True)
class ColumnResult:
    """What was found of one column (or "(rows)": whole rows). `levels` gives each kind's own, `usual`
    how large each effect usually is. `says` is one sentence
    for a person.

    `psi` is the debiased effect size on the distribution, `p_value` the smallest of the column's tests (before
    correction); `kinds` the kinds of trouble at `verdict`'s level or lower: distribution, missing, range, unseen,
    stuck, precision, cut, unit, case, recode, schema, infinite, duplicates, replay, rows, joint. `before` and `after` are small JSON objects (median,
    missing, top values).
    """

    column: str
    verdict: Verdict
    kinds: tuple[str, ...]
    psi: float | None
    p_value: float | None
    before: dict[str, Any]
    after: dict[str, Any]
    says: str
    effects: dict[str, float]
    levels: dict[str, Verdict] = field(default_factory=dict)
    usual: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The shape of `yard drift` (DESIGN section 9)."""
        return {
            "column": self.column,
            "verdict": self.verdict.replace("_", " "),
            "kinds": list(self.kinds),
            "psi": None if self.psi is None else round(self.psi, 6),
            "p_value": self.p_value,
            "from": self.before,
            "to": self.after,
            "says": self.says,
        }


def compare(
    reference: Profile,
    current: Profile,
    *,
    q: float = 0.01,
    warn: float = WARN,
    page: float = PAGE,
    alpha: float = ALPHA,
    min_rows: int = FEWEST_ROWS,
    span: float | None = None,
    told: Mapping[str, Cause] | None = None,
) -> list[ColumnResult]:
    """One result per column of the reference, and of the current window, worst first; "(rows)" judges repeated rows.

    `warn`, `page`: debiased PSI; `alpha`: how rarely one column of an unchanged world may leave its natural variation
    in one window; `min_rows` on either side, else insufficient_data; `span`: seconds that the window covers; `told`: causes
    that are known from elsewhere, by column.
    `current` must have been laid out by `reference`.
    """
    limits = Limits(warn, page, alpha, span)
    rows = min(reference.rows, current.rows)
    few, hopeless = rows < min_rows, rows < min(min_rows, HOPELESS)
    found = {name: _findings(name, column, current, limits) for name, column in reference.columns.items()}
    found[ROWS] = row_findings(reference, current, limits)
    tests = [(name, finding) for name, findings in found.items() for finding in findings]
    rejected = discoveries([finding.p_value for _, finding in tests], q)
    kept: dict[str, list[Finding]] = {name: [] for name in found}
    for (name, finding), real in zip(tests, rejected, strict=True):
        as_it_is = finding.level == "ok" or (real and not hopeless)
        kept[name].append(finding if as_it_is else replace(finding, level="ok"))
    results = [
        _result(
            name,
            column,
            current.columns.get(name),
            kept[name],
            (told or {}).get(name),
            few=few,
            rows=(reference.rows, current.rows),
            floor=min_rows,
        )
        for name, column in reference.columns.items()
    ]
    results += [_new_column(name, kind) for name, kind in current.extra.items() if current.rows]
    results += _of_rows(kept[ROWS])
    return sorted(results, key=lambda result: -severity(result.verdict))


def severity(verdict: Verdict) -> int:
    """Order of verdicts: insufficient_data 0, ok 0, info 1, warn 2, page 3."""
    return LEVELS.index(verdict) if verdict in LEVELS else 0


def worst(results: Sequence[ColumnResult]) -> Verdict:
    """The level of a whole window. Insufficient data unless at least one column could be judged."""
    judged: list[Verdict] = [result.verdict for result in results if result.verdict != "insufficient_data"]
    return max(judged, key=severity) if judged else "insufficient_data"


def _findings(name: str, column: Column, current: Profile, limits: Limits) -> list[Finding]:
    if name not in current.columns:
        return []
    return column_findings(column, current.columns[name].tally, limits)


def _result(
    name: str,
    reference: Column,
    current: Column | None,
    findings: list[Finding],
    told: Cause | None,
    *,
    few: bool,
    rows: tuple[int, int],
    floor: int,
) -> ColumnResult:
    before = summary(reference.layout, reference.tally)
    if current is None:
        level: Verdict = "insufficient_data" if rows[1] == 0 else "page"
        says = f"{name} is gone: the reference has it, the window does not."
        return ColumnResult(name, level, ("schema",), None, None, before, {}, says, {}, {"schema": level})
    after = summary(reference.layout, current.tally)
    # Another type is told first: what else is new comes of it.
    alarms = [finding for finding in findings if finding.level != "ok"]
    alarms.sort(key=_order)
    level = max((finding.level for finding in alarms), key=severity, default="ok")
    kinds = tuple(dict.fromkeys(finding.kind for finding in alarms))
    levels: dict[str, Verdict] = {}
    for finding in alarms:
        levels[finding.kind] = max(levels.get(finding.kind, "ok"), finding.level, key=severity)
    cause = told or causes.find(reference.layout, reference.tally, current.tally, kinds)
    if cause is not None:
        level = max(level, cause.least, key=severity)
        kinds, levels[cause.kind] = tuple(dict.fromkeys((cause.kind, *kinds))), level
    effects = {finding.name: finding.effect for finding in findings}
    usual = {finding.name: finding.usual for finding in findings}
    psi = max((effect for name, effect in effects.items() if name.endswith("shift")), default=None)
    p_value = min((finding.p_value for finding in findings), default=None)
    if few and not kinds:
        says = f"{name}: {rows[0]} rows in the reference and {rows[1]} in the window; {floor} on both sides are needed."
        return ColumnResult(name, "insufficient_data", (), psi, p_value, before, after, says, effects)
    says = sentence(name, reference, current.tally, alarms, psi, cause)
    return ColumnResult(name, level, kinds, psi, p_value, before, after, says, effects, levels, usual)


def _order(found: Finding) -> tuple[bool, int, bool, float]:
    """What is told first. Values out of range are told after the move of all of them, of which they come."""
    measured = ":" in found.name
    return found.kind != "schema", -severity(found.level), found.kind == "range", -found.effect * measured


def _new_column(name: str, kind: str) -> ColumnResult:
    says = f"{name} is new: the reference does not have it."
    return ColumnResult(name, "info", ("schema",), None, None, {}, {"type": kind}, says, {}, {"schema": "info"})


def _of_rows(findings: list[Finding]) -> list[ColumnResult]:
    """One result for whole rows, when there is something to say."""
    alarms = sorted((each for each in findings if each.level != "ok"), key=lambda found: -severity(found.level))
    if not alarms:
        return []
    return [
        ColumnResult(
            ROWS,
            alarms[0].level,
            tuple(found.kind for found in alarms),
            None,
            min(found.p_value for found in alarms),
            {found.name: round(found.before, 4) for found in alarms},
            {found.name: round(found.after, 4) for found in alarms},
            "; ".join(rows_told(found) for found in alarms) + ".",
            {found.name: found.effect for found in alarms},
            {found.kind: found.level for found in alarms},
            {found.name: found.usual for found in alarms},
        )
    ]
