# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages lead to each other, and what they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
ENTRANCES = (ROOT / "README.md", DOCS / "architecture.md")
NAME_FILES = ("CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md", "docs/threat-model.md")
"""The pages whose paths in backquotes are checked."""
OURS = ("bench", "docs", "ike", "lab", "scenarios", "scripts", "tests", "tkm", "xfrm_proxy")


def _links(page: Path) -> set[Path]:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    return {(page.parent / target).resolve() for target in targets}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert not [target for target in _links(page) if not target.exists()]


def test_every_page_is_linked() -> None:
    linked = set().union(*map(_links, ENTRANCES))
    unlinked = set(PAGES) - linked - {ROOT / "README.md"}
    assert not unlinked, "link it from README.md or docs/architecture.md"


@pytest.mark.parametrize("name", NAME_FILES)
def test_files_that_are_named_exist(name: str) -> None:
    named = re.findall(r"`((?:\w[\w.-]*/)+[\w.-]*)`", (ROOT / name).read_text(encoding="utf-8"))
    paths = {path for path in named if path.partition("/")[0] in OURS}
    assert paths
    assert not {path for path in paths if not (ROOT / path).exists()}


def test_every_package_is_in_the_architecture() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    packages = {
        f"{path.parent.relative_to(ROOT)}/"
        for top in ("tkm", "lab")
        for path in (ROOT / top).glob("*/__init__.py")
    }
    assert not {package for package in packages if f"| `{package}` |" not in page}
