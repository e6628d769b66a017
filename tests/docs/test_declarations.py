"""The declarations on the pages are valid: the first of a page is a whole file, the others are parts laid over it."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from modelyard.spec import load

DOCS = Path(__file__).resolve().parents[2] / "docs"
NAMES = ("OPS_WEBHOOK", "OPS_TOKEN", "SLACK_URL", "SMTP_PASSWORD")
TRAINING = "def fit(X, y, *, weights=None):\n    return None\n"


def declarations(page: Path) -> list[dict[str, Any]]:
    """Each YAML block of a page, laid over the first."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    parts = [YAML(typ="safe").load(block) for block in blocks]
    return [over(parts[0], part) for part in parts]


def over(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **{key: over(below.get(key), value) for key, value in above.items()}}
    return above


PAGES = [page for page in sorted(DOCS.glob("*.md")) if "```yaml\nproject:" in page.read_text(encoding="utf-8")]
CASES = [(page, number) for page in PAGES for number in range(len(declarations(page)))]


@pytest.mark.parametrize(("page", "number"), CASES, ids=[f"{page.stem}-{number}" for page, number in CASES])
def test_every_declaration_shown_is_valid(page: Path, number: int, tmp_path: Path) -> None:
    written = io.StringIO()
    YAML().dump(declarations(page)[number], written)
    (tmp_path / "yard.yaml").write_text(written.getvalue())
    (tmp_path / "shop.py").write_text(TRAINING)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/visits.csv").write_text("visit,at,bought\n")
    load(tmp_path, dict.fromkeys(NAMES, "https://example.org/x"))
