# SPDX-License-Identifier: GPL-2.0-or-later
"""The front end's side of a lab that is up: `lab.client.lab.Lab`, for commands and for tests."""
