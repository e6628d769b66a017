"""The glossary: `yard help TERM`, and the page docs/glossary.md, from one file."""

from __future__ import annotations

import re
from difflib import get_close_matches
from importlib.resources import files

from modelyard.errors import NotFound

_LINE = re.compile(r"^- \*\*(?P<terms>.+?)\*\*: (?P<definition>.+)$", re.M)


def text() -> str:
    """The glossary as Markdown."""
    return files("modelyard.cli").joinpath("glossary.md").read_text(encoding="utf-8")


def terms() -> dict[str, str]:
    """Each term with its definition, in the order of the page."""
    return {found["terms"]: found["definition"] for found in _LINE.finditer(text())}


def lookup(word: str) -> dict[str, str]:
    """The terms that are, or else contain, `word` (any case). NotFound names the nearest ones."""
    known, wanted = terms(), word.casefold().strip()
    exact = {term: known[term] for term in known if wanted in re.split(r", | \(|\)", term.casefold())}
    found = exact or {term: known[term] for term in known if wanted in term.casefold()}
    if not found:
        near = get_close_matches(wanted, [term.casefold() for term in known], n=3, cutoff=0.6)
        hint = f"Do you mean {', '.join(near)}?" if near else "`yard help` lists all terms."
        raise NotFound(f"the glossary has no term {word!r}", hint=hint)
    return found
