# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm-rpc: layouts, frames, server and client."""
