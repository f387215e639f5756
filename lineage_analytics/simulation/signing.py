"""Signatures by an invented key that depends on the seed alone: RSA over SHA-256 (PKCS #1, version 1.5)."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lineage_analytics.simulation.dice import Dice

_EXPONENT = 65_537
_HALF = 512
_SMALL = (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
"""What stands before a SHA-256 hash that is signed."""


class Signer:
    """Its public key is worth nothing: everybody can make the private one from the seed."""

    def __init__(self, dice: Dice) -> None:
        p, q = _prime(dice), _prime(dice)
        self._modulus = p * q
        self._private = pow(_EXPONENT, -1, (p - 1) * (q - 1))
        der = _sequence(_integer(self._modulus), _integer(_EXPONENT))
        self.public = base64.b64encode(der).decode()
        self.fingerprint = hashlib.sha256(der).hexdigest()[:32]

    def sign(self, text: str) -> str:
        """The signature in hexadecimal."""
        told = _SHA256 + hashlib.sha256(text.encode()).digest()
        size = self._modulus.bit_length() // 8
        padded = b"\x00\x01" + b"\xff" * (size - 3 - len(told)) + b"\x00" + told
        return pow(int.from_bytes(padded, "big"), self._private, self._modulus).to_bytes(size, "big").hex()


def _prime(dice: Dice) -> int:
    """With both upper bits set, so that the product of two has all its bits."""
    while True:
        found = int(dice.hexadecimal(_HALF // 4), 16) | (3 << (_HALF - 2)) | 1
        if all(found % small for small in _SMALL) and (found - 1) % _EXPONENT and _is_prime(found):
            return found


def _is_prime(number: int) -> bool:
    """Miller and Rabin, with fixed bases: enough for numbers that nobody chose."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(pow(base, odd, number), number, twos) for base in _SMALL)


def _passes(power: int, number: int, twos: int) -> bool:
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False


def _integer(value: int) -> bytes:
    body = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return b"\x02" + _length(len(body)) + body


def _sequence(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return b"\x30" + _length(len(body)) + body


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    body = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(body)]) + body
