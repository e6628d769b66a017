"""Releases as records: immutable, content-addressed, numbered per model, found by any of their names."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from modelyard import release
from modelyard.digest import digest
from modelyard.errors import CheckFailed, InputError, NotFound
from modelyard.records import Declaration, Release, Verdict, Version
from modelyard.spec.deployments import DeploymentSpec


def test_the_digest_is_that_of_the_body_and_the_same_body_is_the_same_release(yard: Any) -> None:
    first = yard.release(1)
    assert first.digest == digest(first.body)
    assert yard.release(1) == first
    assert [each.number for each in yard.store.read(Release)] == [1]
    assert yard.release(2).number == 2


def test_parallel_creations_number_without_gaps(yard: Any) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: yard.release(number % 4), range(16)))
    assert sorted({each.number for each in made}) == [1, 2, 3, 4]
    assert yard.actions().count("release.created") == 4


@pytest.mark.parametrize("state", ["fail", "insufficient_data"])
def test_a_check_without_a_pass_keeps_it_from_being_released(yard: Any, state: Any) -> None:
    now = yard.clock.now()
    version = Version(
        entity="model.late", number=1, fingerprint="f", digest="d", as_of=now, created=now, actor="ann", body={}
    )
    verdict = Verdict(
        entity="model.late", subject="d", check="roc_auc", severity="error", state=state, says="roc_auc is .5", at=now
    )
    with pytest.raises(CheckFailed, match=r"model.late: roc_auc is .5"):
        release.create(yard.store, model="late", version=version, verdicts=[verdict], author="ann")
    assert yard.store.read(Release) == []
    assert yard.actions() == ["release.refused"]


def test_it_is_found_by_number_alias_model_and_digest(yard: Any) -> None:
    first = yard.release(1)
    yard.tick(DeploymentSpec(model="late"))
    names = ("late@1", "late@champion", "late", first.digest, first.digest[:12])
    assert {release.find(yard.store, name).number for name in names} == {1}


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        ("lat@1", "Did you mean late@1"),
        ("late@2", "Did you mean late@1"),
        ("late", "late has no champion now.*late@1.*approved"),
        ("late@challenger", "late has no challenger now"),
        ("abcdefabcdef", "no release has a digest"),
        ("", "There are: late@1"),
    ],
)
def test_what_is_not_there_is_not_found_with_the_nearest_names(yard: Any, ref: str, says: str) -> None:
    yard.release(1)
    with pytest.raises(NotFound, match=says):
        release.find(yard.store, ref)


def test_a_beginning_of_several_digests_is_refused(yard: Any) -> None:
    now = yard.clock.now()
    with yard.store.transaction(actor="ann", action="release.created", subject="model.late") as tx:
        for number in (1, 2):
            tx.add(
                Release(
                    model="late",
                    number=number,
                    digest="a" * 60 + f"000{number}",
                    state="approved",
                    created=now,
                    as_of=now,
                    author="ann",
                    body={},
                )
            )
    with pytest.raises(InputError, match="late@1, late@2"):
        release.find(yard.store, "a" * 12)


def test_a_difference_is_told_by_its_path(yard: Any) -> None:
    told = release.diff(yard.release(1), yard.release(2))
    assert (told["a"], told["b"]) == ("late@1", "late@2")
    assert {"part": "params", "path": "params.n", "from": 1, "to": 2} in told["changes"]
    assert "verdicts" in told["same"]
    assert release.diff(yard.release(1), yard.release(1))["changes"] == []


def test_a_release_becomes_a_folder_again(yard: Any, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "flights").mkdir(parents=True)
    (project / "yard.yaml").write_text("project: flights\n")
    (project / "flights" / "model.py").write_text("# the code as it was applied\n")
    tree = yard.store.blobs.put_tree(project)
    (project / "flights" / "model.py").write_text("# the code of the release\n")
    (project / "yard.yaml").unlink()
    code = yard.store.blobs.put_tree(project)
    lock = yard.store.blobs.put(b"numpy==2.0\n")
    yard.release(1, body={"code": {"blob": code}, "lock": {"blob": lock}})
    with yard.store.transaction(actor="ann", action="declaration.applied", subject="flights") as tx:
        tx.add(Declaration(digest="d", spec={}, fingerprints={}, tree=tree, at=yard.clock.now(), actor="ann"))
    folder = release.checkout(yard.store, "late@1", tmp_path / "out")
    assert (folder / "yard.yaml").read_text() == "project: flights\n"
    assert (folder / "flights" / "model.py").read_text() == "# the code of the release\n"
    assert (folder / "requirements.lock").read_text() == "numpy==2.0\n"
    assert (folder / "release.json").exists()
    with pytest.raises(InputError, match="not empty"):
        release.checkout(yard.store, "late@1", folder)


def test_the_folder_of_a_release_finds_its_sources_where_they_were(yard: Any, tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name in ("data/README.md", "yard.yaml"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("project: flights\n")
    tree = yard.store.blobs.put_tree(project)
    for name in ("data/a.csv", "old/x/b.csv", "c1.csv", "c2.csv"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(name)
    uris = ["data/*.csv", "old/x/b.csv", "c*.csv", "../beside.csv", "gone/a.csv", "${PLACE}/a.csv", "/abs/a.csv"]
    yard.release(1)
    with yard.store.transaction(actor="ann", action="declaration.applied", subject="flights") as tx:
        spec = {"sources": {f"s{number}": {"uri": uri} for number, uri in enumerate(uris)}}
        where = str(project)
        tx.add(
            Declaration(
                digest="d", spec=spec, fingerprints={}, tree=tree, directory=where, at=yard.clock.now(), actor="ann"
            )
        )
    folder = release.checkout(yard.store, "late@1", tmp_path / "out")
    there = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.csv")}
    there["old/x/b.csv"] = (folder / "old/x/b.csv").read_text()
    assert there == {name: name for name in ("data/a.csv", "old/x/b.csv", "c1.csv", "c2.csv")}
    assert (folder / "data" / "README.md").exists()
