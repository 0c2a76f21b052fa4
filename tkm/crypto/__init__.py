# SPDX-License-Identifier: GPL-2.0-or-later
"""The cryptography of IKEv2, on the primitives of the ``cryptography`` library.

============  ==========================================================================
suite         algorithms that belong together, by number
prf           PRFs made of HMAC, and prf+
key_exchange  the key exchange methods, by number; modp, ecp and kem do them
derivation    SKEYSEED, SK_*, KEYMAT
protection    the Encrypted payload
signature     AUTH data: what is signed, and the schemes that sign it
============  ==========================================================================
"""
