# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of requests is complete."""

from ike.engine.dispatch import REQUESTS
from ike.message.numbers import ExchangeType


def test_every_exchange_type_is_answered() -> None:
    assert set(REQUESTS) == set(ExchangeType) - {ExchangeType.IKE_SA_INIT}
