# SPDX-License-Identifier: GPL-2.0-or-later
"""The cryptography of IKEv2, on the primitives of the ``cryptography`` library.

=========== ===========================================================================
prf         PRF_HMAC_SHA2_512 and prf+
key_exchange  the key exchange methods: MODP-3072 and MODP-4096
derivation  SKEYSEED, SK_*, KEYMAT
protection  the Encrypted payload: AES-CBC-256 with HMAC-SHA2-512-256
signature   AUTH data: what is signed, and the schemes that sign it
=========== ===========================================================================
"""
