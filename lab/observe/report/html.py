# SPDX-License-Identifier: GPL-2.0-or-later
"""The page as one HTML file that asks for nothing else: no script, no font, no picture."""

from __future__ import annotations

import base64
import hashlib
import time
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined

from lab.observe.report.lanes import Lane
from lab.observe.report.page import WIDTH, Page

_HERE = files("lab.observe.report")
_OCTETS_IN_LINE = 16


def render(page: Page) -> str:
    """The HTML of a page: what comes from a lab is escaped, the style is allowed by its hash."""
    style = _read("page.css")
    environment = Environment(
        loader=DictLoader({"page": _read("page.html.jinja")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"dump": dump, "clock": clock}
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = environment.get_template("page")
    made = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(page.start))
    return template.render(
        page=page,
        style=style,
        digest=digest,
        began=made,
        width=WIDTH,
        lanes=tuple(Lane),
    )


def _read(name: str) -> str:
    return _HERE.joinpath(name).read_text(encoding="utf-8")


def clock(seconds: float) -> str:
    """Seconds since the start of the run, to the millisecond."""
    return f"{seconds:.3f}"


def dump(octets: bytes) -> str:
    """Octets in lines of 16: position and values, in hexadecimal."""
    return "\n".join(
        f"{start:04x}  {octets[start : start + _OCTETS_IN_LINE].hex(' ')}"
        for start in range(0, len(octets), _OCTETS_IN_LINE)
    )
