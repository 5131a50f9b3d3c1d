"""Where the broker is, who we are there, and how the connection to it is secured."""

import re
import ssl
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Protocol
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from tsuji_platform.secret_files import SecretFileError, need_ordinary
from tsuji_platform.settings_files import OrFile, Settings

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_WITHOUT_SECRET = re.compile(r"(\w+://)?[\w.-]*(:\d*)?(/\w*)?")


class BrokerTlsError(Exception):
    """The certificates for the connection to the broker can't be used; the text says which and why."""


class Introduced(Protocol):
    """As much of an MQTT client as learns who we are."""

    def username_pw_set(self, username: str | None, password: str | None = None) -> None:
        """Take user and password."""

    def tls_set_context(self, context: ssl.SSLContext | None = None) -> None:
        """Take what secures the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerTls:
    """How a connection to the broker is secured: TLS 1.2 or newer, its certificate and name checked.

    Attributes:
        ca: certificates of the authorities that we trust; None for those that the system trusts.
        certificate: our own, where the broker wants one.
        key: of our certificate; None where it stands in the same file.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """What a connection is made with; the files are read now.

        Raises:
            BrokerTlsError: where they can't be used.
        """
        try:
            if self.ca is not None:
                need_ordinary(self.ca)
            context = ssl.create_default_context(cafile=self.ca)
        except (OSError, SecretFileError) as error:
            raise BrokerTlsError(
                f"TSUJI_BROKER_CA_FILE: {str(self.ca)!r} can't be used ({_reason(error)}): it must be a PEM "
                "file with the certificate of the authority that signed the broker's"
            ) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate is not None:
            try:
                for file in (self.certificate, self.key):
                    if file is not None:
                        need_ordinary(file)
                # without a password for the key: to be asked for one would be to wait for ever
                context.load_cert_chain(self.certificate, self.key, password="")
            except (OSError, ValueError, SecretFileError) as error:
                raise BrokerTlsError(
                    f"TSUJI_BROKER_CERTIFICATE_FILE: {str(self.certificate)!r} can't be used "
                    f"({_reason(error)}): it must be a PEM file with our certificate, and "
                    "TSUJI_BROKER_KEY_FILE one with its key, without a password"
                ) from None
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where the MQTT broker is and who we are there."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: BrokerTls | None = None

    @classmethod
    def parse(cls, url: str) -> "BrokerAddress":
        """Read `mqtt://user:password@host:port`; port 1883 where none is given.

        `mqtts://` is with TLS, port 8883 where none is given.

        Raises:
            ValueError: where the address is of another form; nothing that may be a password is quoted.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        rest = parts.path.strip("/") or parts.query or parts.fragment
        if parts.scheme not in _PORTS or not parts.hostname or rest:
            shown = f" {url!r}" if _WITHOUT_SECRET.fullmatch(url) else ""
            raise ValueError(
                f"the broker address{shown} must look like mqtt://user:password@host:1883, or mqtts:// "
                "with TLS, with / @ : ? # in the password written as %2F %40 %3A %3F %23"
            )
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=BrokerTls() if parts.scheme == "mqtts" else None,
        )

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def introduce(self, client: Introduced) -> None:
        """Tell a client, before it connects, who we are and how the connection is secured.

        Raises:
            BrokerTlsError: where the certificates can't be used.
        """
        if self.username is not None:
            client.username_pw_set(self.username, self.password)
        if self.tls is not None:
            client.tls_set_context(self.tls.context())


class BrokerSettings(Settings):
    """The MQTT broker."""

    broker_url: Annotated[str | None, OrFile()] = Field(
        None,
        repr=False,
        description="broker to use instead of a private one: mqtt://user:password@host:port, or "
        "mqtts:// with TLS",
    )
    broker_port: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="port of the private broker on loopback (default: 1883 or a free one)",
    )
    broker_user: str | None = Field(
        None,
        min_length=1,
        description="who we are at the broker, where TSUJI_BROKER_URL does not say",
    )
    broker_password: Annotated[SecretStr | None, OrFile()] = Field(
        None, description="password of TSUJI_BROKER_USER"
    )
    broker_ca_file: Path | None = Field(
        None,
        description="PEM file of the authorities that may sign the broker's certificate (default: those "
        "that the system trusts)",
    )
    broker_certificate_file: Path | None = Field(
        None, description="PEM file of our own certificate, where the broker wants one"
    )
    broker_key_file: Path | None = Field(
        None, description="PEM file of its key, where that is not in the same file"
    )

    @field_validator("broker_url")
    @classmethod
    def _well_formed(cls, url: str | None) -> str | None:
        if url is not None:
            BrokerAddress.parse(url)
        return url

    @field_validator("broker_user")
    @classmethod
    def _named_once(cls, user: str | None, info: ValidationInfo) -> str | None:
        if user is not None and _given(info).username is not None:
            raise ValueError("TSUJI_BROKER_URL names a user already: leave one of the two out")
        return user

    @field_validator("broker_password")
    @classmethod
    def _of_somebody(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        given = _given(info)
        if password is not None and given.password is not None:
            raise ValueError("TSUJI_BROKER_URL holds a password already: leave one of the two out")
        has_user = given.username is not None or info.data.get("broker_user") is not None
        if password is not None and info.data.get("broker_url") is not None and not has_user:
            raise ValueError("is of nobody: set TSUJI_BROKER_USER")
        return password

    @field_validator("broker_ca_file", "broker_certificate_file", "broker_key_file")
    @classmethod
    def _is_for_tls(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if file is not None and info.data.get("broker_url") is not None and not _given(info).tls:
            raise ValueError(
                "is for TLS: let TSUJI_BROKER_URL begin with mqtts://, or leave it out"
            )
        return file

    @field_validator("broker_key_file")
    @classmethod
    def _is_of_a_certificate(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if file is not None and info.data.get("broker_certificate_file", file) is None:
            raise ValueError("is of no certificate: set TSUJI_BROKER_CERTIFICATE_FILE")
        return file

    def address(self, url: str) -> BrokerAddress:
        """Where the broker is, and who we are there.

        Args:
            url: `broker_url`, or that of a broker that was found otherwise.

        Raises:
            BrokerTlsError: where the certificates can't be used.
        """
        found = BrokerAddress.parse(url)
        if found.username is None:
            found = replace(found, username=self.broker_user)
        if self.broker_password is not None:
            found = replace(found, password=self.broker_password.get_secret_value())
        if found.tls is not None:
            tls = BrokerTls(
                ca=self.broker_ca_file,
                certificate=self.broker_certificate_file,
                key=self.broker_key_file,
            )
            tls.context()  # what can't be used is told now and not by whoever connects
            found = replace(found, tls=tls)
        return found


def _given(info: ValidationInfo) -> BrokerAddress:
    """What the address that stands before a setting says, nothing where there is none."""
    url = info.data.get("broker_url")
    return BrokerAddress(host="", port=0) if url is None else BrokerAddress.parse(url)


def trouble(error: BaseException | None) -> str:
    """Why a connection to the broker can't be made, and what to do where that is known."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in (
            62,
            64,
        ):  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
            return (
                f"its certificate is another's: {error.verify_message.rstrip('.')}. Name it in "
                "TSUJI_BROKER_URL as its certificate does"
            )
        if error.verify_code in (
            9,
            10,
        ):  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
            return (
                f"its certificate is not good now: {error.verify_message}. Renew it (docs/broker.md: `tsuji "
                "devices certificate`), or set the clock of this machine"
            )
        return (
            f"its certificate is not trusted: {error.verify_message}. Set TSUJI_BROKER_CA_FILE to the "
            "certificate of the authority that signed it"
        )
    if isinstance(error, ssl.SSLError):
        if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
            return "it does not speak TLS on this port: name its TLS port, or use mqtt://"
        if "CERTIFICATE_REQUIRED" in (error.reason or ""):
            return "it wants a certificate of ours: set TSUJI_BROKER_CERTIFICATE_FILE"
        return f"TLS failed: {_reason(error)}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return "it does not answer" if error is None else str(error)


def _reason(error: Exception) -> str:
    """An error without the number and the place in OpenSSL's source."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)
