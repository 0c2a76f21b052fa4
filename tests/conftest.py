# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for all tests."""

import signal

# A shell that runs us in the background has SIGINT ignored, and so would whatever we start have
# it: but some tests are about Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
