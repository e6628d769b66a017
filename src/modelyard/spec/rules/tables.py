"""Rules for datasets and feature views: what they are made from and how."""

from __future__ import annotations

import graphlib
from pathlib import Path

from modelyard.errors import InputError
from modelyard.spec import sql
from modelyard.spec.document import Path as Place
from modelyard.spec.look import Look
from modelyard.spec.rules.sources import known_at, zone
from modelyard.spec.tables import Dataset, FeatureView
from modelyard.spec.types import Spec
from modelyard.spec.wording import nearest


def table_names(look: Look) -> None:
    """Sources and datasets share their names: SQL reads both."""
    for name in look.names("datasets"):
        if name in look.names("sources"):
            message = f"`{name}` names a source already; SQL could not tell them apart."
            look.wrong(("datasets", name), message, "Rename one of them.", key=True)


def datasets(look: Look) -> None:
    """A dataset is made by SQL or by a function, from sources and datasets, without a circle."""
    above: dict[str, set[str]] = {}
    for name, dataset in look.spec.datasets.items():
        path = ("datasets", name)
        given = {"sql": dataset.sql, "python": dataset.python}
        look.exactly_one(path, given, among=given)
        above[name] = _inputs(look, path, dataset) & look.spec.datasets.keys()
        zone(look, (*path, "timezone"), dataset.timezone)
        known_at(look, path, dataset.known_at, timed=dataset.time is not None)
        _roles(look, path, dataset)
    _circles(look, above)


def _inputs(look: Look, path: Place, dataset: Dataset) -> set[str]:
    for index, name in enumerate(dataset.from_):
        look.refer((*path, "from", index), name, "sources", "datasets", what="source or dataset")
    if dataset.python is not None and not dataset.from_:
        message = "a Python dataset must say what it is made `from`."
        look.wrong((*path, "python"), message, "Add from: [a source or dataset, ...].")
    read = _tables(look, (*path, "sql"), dataset.sql) if dataset.sql is not None else frozenset()
    for name in sorted(read - set(look.names("sources", "datasets"))):
        message = f"the SQL reads `{name}`, which is neither a source nor a dataset."
        look.wrong((*path, "sql"), message, nearest(name, look.names("sources", "datasets")))
    return set(read | set(dataset.from_))


def _tables(look: Look, path: Place, text: str) -> frozenset[str]:
    try:
        return sql.tables(sql.read_sql(look.directory, text))
    except InputError as error:
        where = f"{error.where}: " if error.where else ""
        look.wrong(path, f"{where}{error.message}.", error.hint or "")
        return frozenset()


def _roles(look: Look, path: Place, dataset: Dataset) -> None:
    later = {column for item in dataset.known_at for column in item.columns}
    for index, column in enumerate(dataset.key):
        if column in later:
            look.wrong((*path, "key", index), f"the key column `{column}` cannot be known later than its row.")
        if column in dataset.key[:index]:
            look.wrong((*path, "key", index), f"`{column}` stands twice in the key.")
    if dataset.time in later:
        look.wrong((*path, "time"), f"the row's time `{dataset.time}` cannot be known later than its row.")


def _circles(look: Look, above: dict[str, set[str]]) -> None:
    try:
        tuple(graphlib.TopologicalSorter(above).static_order())
    except graphlib.CycleError as error:
        circle = error.args[1]
        said = " from ".join(f"`{name}`" for name in reversed(circle))
        look.wrong(("datasets", circle[0]), f"datasets are made in a circle: {said}.", key=True)


def views(look: Look) -> None:
    """A feature view has an entity, and reads one source or dataset."""
    for name, view in look.spec.features.items():
        path = ("features", name)
        look.refer((*path, "from"), view.from_, "sources", "datasets", what="source or dataset")
        if not view.entity:
            look.wrong((*path, "entity"), "expected at least one column.")
        if view.sql is not None and look.fine(*path, "from"):
            _view_sql(look, path, view)
        timed = time_of(look.spec, view)
        zone(look, (*path, "timezone"), view.timezone)
        known_at(look, path, view.known_at, timed=timed)
        if view.ttl is not None and not timed:
            hint = f"Name the view's `time`, or that of `{view.from_}`."
            look.wrong((*path, "ttl"), "`ttl` counts from the view's time, and it has none.", hint)


def time_of(spec: Spec, view: FeatureView) -> bool:
    """Whether a view has a time: its own, or that of what it reads."""
    if view.time is not None:
        return True
    source, dataset = spec.sources.get(view.from_), spec.datasets.get(view.from_)
    return bool(source and source.time) or bool(dataset and dataset.time)


def _view_sql(look: Look, path: Place, view: FeatureView) -> None:
    assert view.sql is not None
    for table in sorted(_tables(look, (*path, "sql"), view.sql) - {view.from_}):
        message = f"the SQL of this view reads `{table}`, but the view is made from `{view.from_}`."
        look.wrong((*path, "sql"), message, "Join tables in a dataset, and make the view from that.")


def resolve_inputs(spec: Spec, directory: Path) -> Spec:
    """The declaration with `from` filled in for SQL datasets, so that it says by itself what depends on what."""
    filled = {}
    for name, dataset in spec.datasets.items():
        if dataset.sql is not None:
            read = sql.tables(sql.read_sql(directory, dataset.sql))
            dataset = dataset.model_copy(update={"from_": tuple(sorted(read | set(dataset.from_)))})
        filled[name] = dataset
    return spec.model_copy(update={"datasets": filled})
