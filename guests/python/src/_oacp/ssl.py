"""The module `ssl` for programs that configure TLS: the host makes the connections, and always verifies certificates.

It stands for the standard library's module, which needs OpenSSL.
"""

import calendar
import collections
import enum
import os
import time
import warnings

__name__ = "ssl"  # what the classes below say where they come from

_VERIFIED = "the host verifies certificates, and that cannot be switched off here"
_NO_SOCKETS = "there are no sockets here, so no TLS over them either: use urllib.request, http.client, requests or oacp.http"

CHANNEL_BINDING_TYPES = []
HAS_ALPN = HAS_SNI = HAS_ECDH = HAS_TLSv1_2 = HAS_TLSv1_3 = True
HAS_NPN = HAS_SSLv2 = HAS_SSLv3 = HAS_TLSv1 = HAS_TLSv1_1 = HAS_PSK = HAS_PHA = HAS_NEVER_CHECK_COMMON_NAME = False
OPENSSL_VERSION = "OACP (the host's TLS)"
OPENSSL_VERSION_INFO = (3, 0, 0, 0, 0)
OPENSSL_VERSION_NUMBER = 0x30000000
SOCKET_TIMEOUT = None



def _exported(*kinds):
    for kind in kinds:
        globals().update(kind.__members__)


class VerifyMode(enum.IntEnum):
    CERT_NONE = 0
    CERT_OPTIONAL = 1
    CERT_REQUIRED = 2


class _SSLMethod(enum.IntEnum):
    PROTOCOL_TLS = 2
    PROTOCOL_SSLv23 = 2
    PROTOCOL_TLSv1 = 3
    PROTOCOL_TLSv1_1 = 4
    PROTOCOL_TLSv1_2 = 5
    PROTOCOL_TLS_CLIENT = 16
    PROTOCOL_TLS_SERVER = 17


class TLSVersion(enum.IntEnum):
    MINIMUM_SUPPORTED = -2
    MAXIMUM_SUPPORTED = -1
    SSLv3 = 768
    TLSv1 = 769
    TLSv1_1 = 770
    TLSv1_2 = 771
    TLSv1_3 = 772


class Options(enum.IntFlag):
    OP_NO_COMPRESSION = 0x20000
    OP_NO_TICKET = 0x4000
    OP_NO_SSLv2 = 0
    OP_NO_SSLv3 = 0x2000000
    OP_NO_TLSv1 = 0x4000000
    OP_NO_TLSv1_1 = 0x10000000
    OP_NO_TLSv1_2 = 0x8000000
    OP_NO_TLSv1_3 = 0x20000000
    OP_ALL = 0x80000050
    OP_CIPHER_SERVER_PREFERENCE = 0x400000
    OP_SINGLE_DH_USE = 0
    OP_SINGLE_ECDH_USE = 0
    OP_NO_RENEGOTIATION = 0x40000000
    OP_IGNORE_UNEXPECTED_EOF = 0x80
    OP_ENABLE_MIDDLEBOX_COMPAT = 0x100000
    OP_LEGACY_SERVER_CONNECT = 0x4


class VerifyFlags(enum.IntFlag):
    VERIFY_DEFAULT = 0
    VERIFY_CRL_CHECK_LEAF = 4
    VERIFY_CRL_CHECK_CHAIN = 12
    VERIFY_X509_STRICT = 32
    VERIFY_ALLOW_PROXY_CERTS = 64
    VERIFY_X509_TRUSTED_FIRST = 0x8000
    VERIFY_X509_PARTIAL_CHAIN = 0x80000


class SSLErrorNumber(enum.IntEnum):
    SSL_ERROR_SSL = 1
    SSL_ERROR_WANT_READ = 2
    SSL_ERROR_WANT_WRITE = 3
    SSL_ERROR_WANT_X509_LOOKUP = 4
    SSL_ERROR_SYSCALL = 5
    SSL_ERROR_ZERO_RETURN = 6
    SSL_ERROR_WANT_CONNECT = 7
    SSL_ERROR_EOF = 8
    SSL_ERROR_INVALID_ERROR_CODE = 10


_exported(VerifyMode, _SSLMethod, Options, VerifyFlags, SSLErrorNumber)


class Purpose(enum.Enum):
    SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
    CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"


class SSLError(OSError):
    """No TLS connection came about."""

    library = reason = None

    def __str__(self):
        return self.strerror if isinstance(self.strerror, str) else str(self.args)


class SSLZeroReturnError(SSLError):
    pass


class SSLWantReadError(SSLError):
    pass


class SSLWantWriteError(SSLError):
    pass


class SSLSyscallError(SSLError):
    pass


class SSLEOFError(SSLError):
    pass


class SSLCertVerificationError(SSLError, ValueError):
    """The server's certificate was refused."""

    verify_code = 1

    @property
    def verify_message(self):
        return str(self)


CertificateError = SSLCertVerificationError


class SSLContext:
    """Settings that the host does not need; the ones that would weaken it are refused."""

    sslsocket_class = sslobject_class = None
    keylog_filename = None
    post_handshake_auth = False
    sni_callback = None
    num_tickets = 2
    hostname_checks_common_name = False

    def __init__(self, protocol=None):
        self.protocol = _SSLMethod(PROTOCOL_TLS if protocol is None else protocol)
        self.minimum_version = TLSVersion.TLSv1_2
        self.maximum_version = TLSVersion.MAXIMUM_SUPPORTED
        self.options = Options.OP_ALL | Options.OP_NO_SSLv3
        self.verify_flags = VerifyFlags.VERIFY_X509_TRUSTED_FIRST

    @property
    def check_hostname(self):
        return True

    @check_hostname.setter
    def check_hostname(self, value):
        if not value:
            raise ValueError(f"check_hostname=False: {_VERIFIED}")

    @property
    def verify_mode(self):
        return VerifyMode.CERT_REQUIRED

    @verify_mode.setter
    def verify_mode(self, value):
        if value != VerifyMode.CERT_REQUIRED:
            raise ValueError(f"verify_mode={VerifyMode(value).name}: {_VERIFIED}")

    def load_cert_chain(self, certfile, keyfile=None, password=None):
        raise ValueError("client certificates cannot be used here: the host makes the connection, verifies certificates and shows none of its own")

    def load_verify_locations(self, cafile=None, capath=None, cadata=None):
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        warnings.warn("the host verifies certificates, against its own roots: the given ones are not used", RuntimeWarning, stacklevel=2)

    def load_default_certs(self, purpose=Purpose.SERVER_AUTH):
        pass

    def set_default_verify_paths(self):
        pass

    def set_ciphers(self, ciphers):
        pass

    def set_alpn_protocols(self, protocols):
        pass

    def set_ecdh_curve(self, name):
        pass

    def load_dh_params(self, path):
        pass

    def get_ca_certs(self, binary_form=False):
        return []

    def get_ciphers(self):
        return []

    def cert_store_stats(self):
        return {"x509": 0, "crl": 0, "x509_ca": 0}

    def session_stats(self):
        return {}

    def wrap_socket(self, *_, **__):
        raise OSError(_NO_SOCKETS)

    wrap_bio = wrap_socket


def create_default_context(purpose=Purpose.SERVER_AUTH, *, cafile=None, capath=None, cadata=None):
    """A context with the host's settings."""
    if not isinstance(purpose, Purpose):
        raise TypeError(purpose)
    context = SSLContext(PROTOCOL_TLS_CLIENT if purpose is Purpose.SERVER_AUTH else PROTOCOL_TLS_SERVER)
    if cafile or capath or cadata:
        context.load_verify_locations(cafile, capath, cadata)
    return context


def _create_unverified_context(*_, **__):
    raise ValueError(_VERIFIED)


def _create_stdlib_context(*_, **__):
    return create_default_context()


_create_default_https_context = create_default_context


class _NeedsSocket:
    def __init__(self, *_, **__):
        raise OSError(_NO_SOCKETS)


class SSLSocket(_NeedsSocket):
    pass


class SSLObject(_NeedsSocket):
    pass


class SSLSession(_NeedsSocket):
    pass


class MemoryBIO(_NeedsSocket):
    pass


def wrap_socket(*_, **__):
    raise OSError(_NO_SOCKETS)


get_server_certificate = wrap_socket


def cert_time_to_seconds(cert_time):
    """Seconds since 1970 of a certificate's time, as `Jan  5 09:34:43 2018 GMT`."""
    return calendar.timegm(time.strptime(cert_time, "%b %d %H:%M:%S %Y GMT"))


# The host's roots are not on a path that is seen here.
DefaultVerifyPaths = collections.namedtuple(
    "DefaultVerifyPaths", "cafile capath openssl_cafile_env openssl_cafile openssl_capath_env openssl_capath")


def get_default_verify_paths():
    return DefaultVerifyPaths(None, None, "SSL_CERT_FILE", "", "SSL_CERT_DIR", "")


def RAND_bytes(n, /):
    return os.urandom(n)


def RAND_status():
    return True


def RAND_add(string, entropy, /):
    pass
