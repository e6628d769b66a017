"""What helps against each kind of trouble between two tables, in a sentence: most cures are upstream, few a retraining."""

from __future__ import annotations

CURES = {
    "schema": "Mend the source or its query: who reads this table expects the columns and types of the reference.",
    "unit": "Convert it back where it is read; do not mix both units.",
    "case": "Map the spellings where the column is read.",
    "recode": "Map the values back, or ask who changed the code.",
    "missing": "Look for what no longer fills it: a join, an export, a form.",
    "filled": "Look what fills it now: a default in place of what is not known?",
    "infinite": "Look for a division by zero upstream.",
    "unseen": "If the new values are real, retrain on rows that have them; else map them.",
    "range": "Look whether these values are real, or stand for a missing one.",
    "stuck": "Look at what writes that value: a default, a fallback, a sensor that stands still.",
    "cut": "Look for a limit or a filter upstream.",
    "precision": "Look for what rounds it, or no longer does.",
    "distribution": "If the world changed, retrain on new rows; if the source did, mend it.",
    "rows": "Look whether the load or the export ran to its end.",
    "duplicates": "Look for a join or a load that ran twice.",
    "replay": "Look whether an old file was delivered again.",
    "joint": "Look at how these columns are joined or computed; if that is right, retrain on new rows.",
}
