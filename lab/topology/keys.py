# SPDX-License-Identifier: GPL-2.0-or-later
"""The keys of a topology file, table by table, with their types and defaults."""

from __future__ import annotations

from lab.topology.model import ROOT
from lab.topology.table import FLAG, LIST, NUMBER, REAL, TABLE, TEXT, Key

TOP = {
    "title": Key(TEXT),
    "parameters": Key(TABLE, {}),
    "links": Key(TABLE),
    "nodes": Key(TABLE),
    "authorities": Key(TABLE, {}),
    "policies": Key(LIST, []),
}
LINK = {
    "mtu": Key(NUMBER, 1500),
    **{name: Key(REAL, 0) for name in ("loss", "delay", "jitter", "reorder", "duplicate")},
    "rate": Key(TEXT, ""),
}
NODE = {
    "addresses": Key(TABLE),
    "identity": Key(TEXT, ""),
    "ike": Key(TEXT, ""),
    "routes": Key(TABLE, {}),
    "forward": Key(FLAG, False),
    "nat": Key(TEXT, ""),
    "ca": Key(TEXT, ROOT),
    "run": Key(LIST, []),
    "files": Key(TABLE, {}),
}
AUTHORITY = {"issuer": Key(TEXT, ROOT)}
POLICY = {
    "between": Key(LIST),
    "mode": Key(TEXT, "transport"),
    "addresses": Key(TABLE, {}),
    "networks": Key(TABLE, {}),
    "lifetime": Key(TABLE, {}),
    "ike": Key(TEXT, ""),
    "esp": Key(TEXT, ""),
}
LIFETIME = {"soft": Key(NUMBER, 6900), "hard": Key(NUMBER, 7200)}
