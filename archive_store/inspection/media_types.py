"""Which kinds of file are taken, told by content, never by name."""

from __future__ import annotations

import puremagic

from archive_store.foundation.errors import ErrorCode, RegistrarError

PDF = "application/pdf"
TIFF = "image/tiff"
JPEG = "image/jpeg"
PNG = "image/png"
OFD = "application/ofd"  # GB/T 33190
ACCEPTED = {PDF: "PDF", TIFF: "TIFF", JPEG: "JPEG", PNG: "PNG", OFD: "OFD"}
EXTENSIONS = {PDF: ".pdf", TIFF: ".tif", JPEG: ".jpg", PNG: ".png", OFD: ".ofd"}
# Enough for the signatures of all accepted types.
SNIFF_SIZE = 4096
_FIRST_BYTES = {
    PDF: (b"%PDF-",),
    TIFF: (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    JPEG: (b"\xff\xd8\xff",),
    PNG: (b"\x89PNG\r\n\x1a\n",),
}
_ZIP = b"PK\x03\x04"


def media_type_of(first_bytes: bytes) -> str:
    """The media type; UNSUPPORTED_MEDIA_TYPE for all that is not accepted.

    A zip archive is only a candidate for OFD: what it is stands at its end, and `inspect` refuses every other one.
    """
    if first_bytes.startswith(_ZIP):
        return OFD
    try:
        guesses = {guess.mime_type for guess in puremagic.magic_string(first_bytes)}
    except (puremagic.PureError, ValueError):  # the second, for no bytes at all
        guesses = set()
    for media_type, signatures in _FIRST_BYTES.items():
        # Some signatures are found anywhere by the library; a scan begins with its own.
        if media_type in guesses and first_bytes.startswith(signatures):
            return media_type
    raise unsupported_media_type()


def unsupported_media_type() -> RegistrarError:
    return RegistrarError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, allowed=", ".join(ACCEPTED.values()))
