"""Shops to tell stories about."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shop_project import DECLARATION, TRAINING, Shop, visits


@pytest.fixture
def make_shop(tmp_path: Path) -> Callable[..., Shop]:
    """Make a shop with `days` of visits."""

    def make(days: int = 90, name: str = "shop", **world: Any) -> Shop:
        shop = Shop(tmp_path / name)
        (shop.directory / "data").mkdir(parents=True)
        (shop.directory / "yard.yaml").write_text(DECLARATION)
        (shop.directory / "shop.py").write_text(TRAINING)
        shop.feed(visits(days, **world))
        return shop

    return make


@pytest.fixture(scope="session")
def applied_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop applied once; tests copy it."""
    shop = Shop(tmp_path_factory.mktemp("applied") / "shop")
    (shop.directory / "data").mkdir(parents=True)
    (shop.directory / "yard.yaml").write_text(DECLARATION)
    (shop.directory / "shop.py").write_text(TRAINING)
    shop.feed(visits(90))
    said = shop.yard("apply", "--yes", "--json", "--as-of", "2024-03-20")
    assert said.code == 0, said.out + said.err
    return shop.directory


@pytest.fixture
def shop(applied_shop: Path, tmp_path: Path) -> Shop:
    """A copy of the applied shop."""
    shutil.copytree(applied_shop, tmp_path / "copy")
    return Shop(tmp_path / "copy")
