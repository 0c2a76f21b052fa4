# SPDX-License-Identifier: GPL-2.0-or-later
"""RSA keys, made one at a time or ahead of need.

An RSA-3072 key takes 0.1 to 1 s of one processor. The search for primes runs outside the
interpreter's lock, so threads use all processors, and a lab that boots meanwhile loses nothing.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from cryptography.hazmat.primitives.asymmetric import rsa

from lab.pki.errors import PkiError

KEY_BITS = 3072
"""The size of every key. The TKM's RPC carries signatures of at most 384 octets, i.e. this."""


def new_key() -> rsa.RSAPrivateKey:
    """A fresh RSA key of KEY_BITS with the public exponent 65537."""
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


class KeyStock:
    """`count` keys that are made in the background, handed out once each.

    with KeyStock(3) as keys:
        boot_the_lab_kernel()
        ca = CA("tkm-lab root", key=keys.take())

    Leaving the block drops the keys that nobody took and waits for those under way (below 1 s).
    """

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="rsa")
        self._keys: list[Future[rsa.RSAPrivateKey]] = [
            self._pool.submit(new_key) for _ in range(count)
        ]
        self._pool.shutdown(wait=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._keys.clear()
        self._pool.shutdown(cancel_futures=True)

    def take(self) -> rsa.RSAPrivateKey:
        """The next key; waits until it is made.

        Raises PkiError when `count` keys have been taken: a key is never handed out twice.
        """
        if not self._keys:
            raise PkiError("the stock of keys is used up: ask for as many as are needed")
        return self._keys.pop(0).result()
