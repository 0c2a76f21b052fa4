# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.tkm.configs import tunnel
from tests.unit.tkm.keymanager_files import OWN, key_der
from tests.unit.trusted import pki
from tkm.config import conf


@pytest.fixture
def files(tmp_path: Path) -> Any:
    """A folder with all that tkm_keymanager needs."""
    conf_file, key, ca = tmp_path / "tkm.conf", tmp_path / "key.der", tmp_path / "ca.der"
    conf_file.write_text(conf.render(tunnel()))
    key.write_bytes(key_der(pki().keys["alice"]))
    key.chmod(OWN)
    ca.write_bytes(pki().ca.root.certificate.der)
    return tmp_path
