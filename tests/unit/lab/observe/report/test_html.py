# SPDX-License-Identifier: GPL-2.0-or-later
"""The HTML asks for nothing, leads nowhere else, and carries nothing that a lab could plant."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lab.client.status import LogLine
from lab.observe.report.html import render
from lab.observe.report.page import page_of
from lab.observe.report.run import Expectation
from tests.unit.lab.observe.report.recorded import two_hosts

HTML = render(page_of(two_hosts()))
ATTACK = "<script>alert('x')</script>\"'><img src=x onerror=y>&amp;"
_VOID = {"meta", "input"}
_LARGEST = 2_000_000
"""Octets of the page of two hosts with three rekeys."""
_CHROMIUM = shutil.which("chromium")


class _Elements(HTMLParser):
    """All start tags; raises AssertionError for elements that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def test_nothing_is_requested_and_nothing_runs() -> None:
    elements = _Elements(HTML).found
    assert {tag for tag, _ in elements}.isdisjoint(
        {"script", "img", "link", "iframe", "object", "embed", "form", "base", "image", "use"}
    )
    names = {name for _, attributes in elements for name in attributes}
    assert not [name for name in names if name.startswith("on") or name in ("src", "style")]
    assert "url(" not in HTML
    assert "@import" not in HTML


def test_only_our_style_is_allowed() -> None:
    style = re.search("<style>(.*?)</style>", HTML, re.DOTALL)
    policy = re.search('Content-Security-Policy" content="([^"]*)"', HTML)
    assert style
    assert policy
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1].startswith(f"default-src 'none'; style-src 'sha256-{digest}';")


def test_every_link_leads_to_a_place_on_the_page() -> None:
    elements = _Elements(HTML).found
    places = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(places) == len(set(places))
    links = {attributes["href"] for tag, attributes in elements if tag == "a"}
    assert links
    assert links <= {f"#{place}" for place in places}


def test_host_names_and_log_lines_are_escaped() -> None:
    run = two_hosts()
    line = LogLine(1 << 20, run.logs[-1].time, ATTACK, ATTACK, ATTACK)
    run = replace(
        run,
        name=ATTACK,
        kernel=ATTACK,
        hosts=(*run.hosts, ATTACK),
        addresses=dict.fromkeys(run.addresses, ATTACK),
        captures={ATTACK: run.captures["wire"]},
        logs=(*run.logs, line),
        impairments=(ATTACK,),
    )
    found = _Elements(written := render(page_of(run))).found
    assert {tag for tag, _ in found} <= {tag for tag, _ in _Elements(HTML).found} | {"ul", "li"}
    assert ATTACK not in written
    assert "&lt;script&gt;alert(" in written


def test_the_steps_of_a_scenario_are_shown() -> None:
    steps = (
        Expectation("alice reaches bob", "passed", 0.25, "3 replies"),
        Expectation(ATTACK, "failed", 10.0, f"not in 10 s: {ATTACK}"),
        Expectation("no plain text", "skipped", 0.0, ""),
    )
    written = render(page_of(replace(two_hosts(), expectations=steps)))
    _Elements(written)
    assert '<td class="good">passed, 0.2 s</td>' in written
    assert '<td class="bad">failed, 10.0 s</td>' in written
    assert '<td class="quiet">skipped</td>' in written
    assert "not in 10 s: &lt;script&gt;" in written
    assert 'id="steps"' not in HTML


def test_no_key_is_on_the_page() -> None:
    run = two_hosts()
    keys = [cell for row in run.ike_keys for cell in row.split(",") if len(cell) >= 64]
    keys += [sa.encryption_key.hex() for sa in run.sas] + [sa.integrity_key.hex() for sa in run.sas]
    plain = re.sub(r"\s+", "", HTML)
    assert keys
    assert not [key for key in keys if key in plain]


def test_it_is_small() -> None:
    assert len(HTML.encode()) <= _LARGEST


def test_an_empty_run_has_a_page() -> None:
    run = replace(two_hosts(), captures={}, logs=(), sas=(), ike_keys=())
    written = render(page_of(run))
    _Elements(written)
    assert "No IKE message was on any link." in written


needs_browser = pytest.mark.skipif(
    _CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"
)


def _browsed(folder: Path, place: str) -> tuple[str, str]:
    """The document as a browser has it once it went to a place, and what it logged."""
    page = folder / "run.html"
    page.write_text(HTML, encoding="utf-8")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr")
    command = [str(_CHROMIUM), *options, f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [*command, f"{page.as_uri()}{place}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, done.stderr


@needs_browser
def test_a_browser_has_nothing_to_complain_about(tmp_path: Path) -> None:
    document, logged = _browsed(tmp_path, "")
    assert "CONSOLE" not in logged
    assert document.count('<details class="step">') == len(page_of(two_hosts()).messages)


@needs_browser
def test_a_mark_opens_what_it_leads_to(tmp_path: Path) -> None:
    document, _ = _browsed(tmp_path, "#ike-3")
    opened = re.findall('<details class="step" open="">.*?<p id="([^"]*)"', document, re.DOTALL)
    assert opened == ["ike-3"]
