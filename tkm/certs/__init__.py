# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates: loading them, validating a path (RFC 5280, 6), matching an identity."""
