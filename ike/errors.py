# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors that our caller causes; those that the peer causes are in :mod:`ike.message.errors`."""


class IkeError(Exception):
    """Base class of the errors of tkm_iked."""


class LocalError(IkeError):
    """Our caller asks for something that is not possible."""


class ConfigError(LocalError):
    """The configuration cannot be used; the text contains where and why."""


class UnknownName(LocalError):
    """No connection, child or reqid of that name is configured."""
