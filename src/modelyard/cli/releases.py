"""Commands about releases, and rows in files: release ..., predict, feedback."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from modelyard.cli import show
from modelyard.cli.command import Words, words, yard


@yard.group()
def release() -> None:
    """Look at releases, approve them, roll back, reproduce."""


@release.command("list")
@words
def release_list(said: Words) -> None:
    """Every release, with its state and aliases."""
    said.tell(said.door().release_list(), show.releases)


@release.command("show")
@click.argument("ref", metavar="RELEASE")
@words
def release_show(said: Words, ref: str) -> None:
    """One release: what it binds, how it was judged, what happened to it."""
    said.tell(said.door().release_show(ref=ref), show.release)


@release.command("approve")
@click.argument("ref", metavar="RELEASE")
@click.option("--role", help="The role in which you approve [the first that the model asks for].")
@click.option("--reason", default="", help="Why.")
@words
def release_approve(said: Words, ref: str, role: str | None, reason: str) -> None:
    """Approve a release (its digest). Who: YARD_ACTOR, or the system's user."""
    said.tell(said.door().release_approve(ref=ref, role=role, reason=reason), show.decided)


@release.command("reject")
@click.argument("ref", metavar="RELEASE")
@click.option("--role", help="The role in which you reject.")
@click.option("--reason", default="", help="Why.")
@words
def release_reject(said: Words, ref: str, role: str | None, reason: str) -> None:
    """Reject a release (its digest)."""
    said.tell(said.door().release_reject(ref=ref, role=role, reason=reason), show.decided)


@release.command("promote")
@click.argument("ref", metavar="RELEASE")
@click.option("--deployment", help="Only in this deployment [every one that tries it].")
@click.option("--reason", default="", help="Why.")
@words
def release_promote(said: Words, ref: str, deployment: str | None, reason: str) -> None:
    """Make a release that is being tried the champion, whatever its guards know yet."""
    said.tell(said.door().release_promote(ref=ref, deployment=deployment, reason=reason), show.promoted)


@release.command("rollback")
@click.argument("ref", metavar="DEPLOYMENT|MODEL")
@click.option("--reason", default="", help="Why.")
@words
def release_rollback(said: Words, ref: str, reason: str) -> None:
    """Put the last champion back, at once."""
    said.tell(said.door().release_rollback(ref=ref, reason=reason), show.rolled_back)


@release.command("diff")
@click.argument("a", metavar="RELEASE")
@click.argument("b", metavar="RELEASE")
@words
def release_diff(said: Words, a: str, b: str) -> None:
    """What differs between two releases: data, features, code, parameters, packages, metrics."""
    said.tell(said.door().release_diff(a=a, b=b), show.difference)


@release.command("reproduce")
@click.argument("ref", metavar="RELEASE")
@words
def release_reproduce(said: Words, ref: str) -> None:
    """Build a release again from what the store holds alone, and compare."""
    report = said.door().release_reproduce(ref=ref)
    said.tell(report, show.reproduced)
    if not report["agrees"]:
        sys.exit(1)


@release.command("checkout")
@click.argument("ref", metavar="RELEASE")
@click.argument("folder", metavar="DIR")
@words
def release_checkout(said: Words, ref: str, folder: str) -> None:
    """Write a release's project, code and lock into a new folder."""
    said.tell(said.door().release_checkout(ref=ref, folder=folder), show.checked_out)


@yard.command()
@click.argument("deployment")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="Where the answers go: .csv, .parquet."
)
@words
def predict(said: Words, deployment: str, source: Path, out: Path) -> None:
    """Answer every row of a file through a deployment, and log the answers."""
    said.tell(said.door().predict(deployment=deployment, source=source, out=out), show.predicted)


@yard.command()
@click.argument("deployment")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@words
def feedback(said: Words, deployment: str, source: Path) -> None:
    """Give labels from a file: request_id, row, label; or the dataset's key columns and label."""
    said.tell(said.door().feedback(deployment=deployment, source=source), show.fed_back)
