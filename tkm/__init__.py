# SPDX-License-Identifier: GPL-2.0-or-later
"""The Trusted Key Manager: the trusted computing base of a disaggregated IKEv2."""

VERSION = "0.1.0"
