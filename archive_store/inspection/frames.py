"""What the inspection and its child process say to each other, over the child's standard input and output.

The child sends frames: a kind of one byte, the length of the payload as 4 bytes, the payload; numbers are big-endian.
To READ the parent answers with exactly the bytes asked for; nothing else goes to the child.
"""

from __future__ import annotations

import struct

HEADER = struct.Struct("!cI")
RANGE = struct.Struct("!QI")  # payload of READ: offset and length of the plaintext
COUNT = struct.Struct("!I")  # payload of PAGES
WARNING_SIZE = 64  # payload of WARNING: the page as COUNT, from 1, 0 for the file; then the code in ASCII

READ = b"R"
CONFIRMED = b"C"  # an OFD is one; no payload
PAGES = b"P"  # one more than the limit means more than the limit
WARNING = b"W"
THUMBNAIL = b"T"
PREVIEW = b"V"
END = b"E"  # the child has said all; no payload

READ_LIMIT = 256 * 1024
THUMBNAIL_LIMIT = 64 * 1024
PREVIEW_LIMIT = 1024 * 1024
# The largest payload of each kind; an unknown kind has none.
LIMITS = {
    READ: RANGE.size,
    CONFIRMED: 0,
    PAGES: COUNT.size,
    WARNING: WARNING_SIZE,
    THUMBNAIL: THUMBNAIL_LIMIT,
    PREVIEW: PREVIEW_LIMIT,
    END: 0,
}
# Frames other than READ; a child that has more to say does not stop.
FRAMES_LIMIT = 500
