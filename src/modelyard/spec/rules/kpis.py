"""Rules for KPIs: what is computed can be read, and it is known whose releases are tested."""

from __future__ import annotations

import re
from datetime import timedelta

from modelyard.errors import InputError
from modelyard.spec.document import Path
from modelyard.spec.look import Look
from modelyard.spec.sql import read_sql, tables


def kpis(look: Look) -> None:
    """A KPI's SQL reads what is declared; its deployment exists, and is named where there are several."""
    for name, item in look.spec.kpis.items():
        path = ("kpis", name)
        if item.every <= timedelta(0):
            look.wrong((*path, "every"), "expected a duration above zero.")
        if item.sql is not None:
            _sql(look, (*path, "sql"), item.sql)
        if item.deployment is not None:
            look.refer((*path, "deployment"), item.deployment, "deployments", what="deployment")
        elif len(look.spec.deployments) > 1:
            known = ", ".join(look.spec.deployments)
            look.wrong(path, "it is not said whose releases are tested.", f"Add deployment: one of {known}.")


def _sql(look: Look, path: Path, text: str) -> None:
    try:
        sql = read_sql(look.directory, text)
        read = tables(sql)
    except InputError as error:
        look.wrong(path, error.message.rstrip(".") + ".", error.hint or "")
        return
    for table in sorted(read):
        look.refer(path, table, "sources", "datasets", "deployments", what="source, dataset or deployment")
        read_log = look.spec.deployments.get(table)
        if read_log is not None and read_log.log.sample < 1 and not re.search(r"\bweight\b", sql):
            message = f"only a sample of the rows of {table} is logged: each stands for `weight` rows."
            look.wrong(path, message, "Multiply by the column `weight`, or divide by its sum.")
