"""Passwords for things and services, and how Mosquitto keeps them."""

import base64
import hashlib
import secrets

ITERATIONS = 1_000
"""As many as Mosquitto takes by itself. Passwords made here have 192 random bits, which no number of guesses
finds; more would only keep the broker from its work at each connection, also of who knows no password."""
_SALT_BYTES = 12


def make_password() -> str:
    """A password of 192 random bits: 32 of A-Z a-z 0-9 - _, good in files, addresses and shells."""
    while (made := secrets.token_urlsafe(24)).startswith("-"):  # which programs take for an option
        pass
    return made


def kept(password: str) -> dict[str, str | int]:
    """A password as the dynamic security plugin keeps it: PBKDF2 with SHA-512, 64 octets."""
    salt = secrets.token_bytes(_SALT_BYTES)
    made = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return {
        "password": base64.b64encode(made).decode(),
        "salt": base64.b64encode(salt).decode(),
        "iterations": ITERATIONS,
    }
