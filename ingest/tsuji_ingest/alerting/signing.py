"""Signs webhooks as Standard Webhooks 1.0 says, so that receivers can check them with a library.

The signature is HMAC-SHA256 over `id.timestamp.body`, base64, behind `v1,`.
"""

import base64
import binascii
import hashlib
import hmac

LEAST_BYTES = 24
_PREFIX = "whsec_"


class SecretError(Exception):
    """A secret that can't be used; the text never quotes it."""


def key_of(secret: str) -> bytes:
    """The key: `whsec_` and base64 stand for bytes, any other text for itself in UTF-8.

    Raises:
        SecretError: where it is too short or no base64.
    """
    secret = secret.strip()
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            raise SecretError("the webhook secret is no base64 behind whsec_") from None
    else:
        key = secret.encode()
    if len(key) < LEAST_BYTES:
        raise SecretError(
            f"the webhook secret holds {len(key)} bytes; take at least {LEAST_BYTES}, such as "
            'those of `echo "whsec_$(head -c 32 /dev/urandom | base64)"`'
        )
    return key


def headers(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """What a request carries.

    Args:
        key: shared with the receiver.
        message_id: the same for repetitions of a message.
        timestamp: when it is sent, seconds since 1970.
        body: as it is sent.
    """
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
