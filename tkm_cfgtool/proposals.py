# SPDX-License-Identifier: GPL-2.0-or-later
"""What a policy that names no proposals offers, in strongSwan's words."""

from typing import Final

from tkm.proposals import ESP_DEFAULT, IKE_DEFAULT

IKE_PROPOSALS: Final = IKE_DEFAULT
ESP_PROPOSALS: Final = ESP_DEFAULT
ESP_PROPOSALS_WITH_ESN: Final = "aes256-sha512-modp4096-esn-noesn,aes256-sha512-modp3072-esn-noesn"
"""Extended sequence numbers where the peer can, too."""
