# SPDX-License-Identifier: GPL-2.0-or-later
"""From a topology to a lab that is up."""
