"""Which kinds of file are taken, told by content, never by name."""

from __future__ import annotations

import puremagic

from archive_store.foundation.errors import ErrorCode, RegistrarError

ACCEPTED = {"application/pdf": "PDF", "image/tiff": "TIFF", "image/jpeg": "JPEG", "image/png": "PNG"}
EXTENSIONS = {
    "application/pdf": ".pdf",
    "image/tiff": ".tif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
}
# Enough for the signatures of all accepted types.
SNIFF_SIZE = 4096
_FIRST_BYTES = {
    "application/pdf": (b"%PDF-",),
    "image/tiff": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
}


def media_type_of(first_bytes: bytes) -> str:
    """The media type; UNSUPPORTED_MEDIA_TYPE for all that is not accepted."""
    try:
        guesses = {guess.mime_type for guess in puremagic.magic_string(first_bytes)}
    except puremagic.PureError:
        guesses = set()
    for media_type, signatures in _FIRST_BYTES.items():
        # Some signatures are found anywhere by the library; a scan begins with its own.
        if media_type in guesses and first_bytes.startswith(signatures):
            return media_type
    raise RegistrarError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, allowed=", ".join(ACCEPTED.values()))
