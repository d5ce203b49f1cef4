"""OFD (版式文档, GB/T 33190-2016): is a zip archive one, and how many pages has it; of the child process.

OFD.xml at the root names a Document.xml for each document, which lists its pages. XML is walked as it is decompressed,
without a tree; a document type, and so every entity, is refused. Pages are not rendered.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, cast
from xml.parsers import expat

from archive_store.inspection import frames
from archive_store.inspection.findings import IntakeWarning

if TYPE_CHECKING:
    from archive_store.inspection.child import Parent

_NAMESPACE = "http://www.ofdspec.org/2016"
_ENTRIES_LIMIT = 100_000
_XML_LIMIT = 16 * 1024 * 1024
_DEPTH_LIMIT = 32
_DOCUMENTS_LIMIT = 100
_PIECE = 64 * 1024
_IS_ENCRYPTED = 0x1
# What makes an archive another kind of file as well: Office, Java, OpenDocument and EPUB.
_OTHER_KINDS = frozenset({"[Content_Types].xml", "META-INF/MANIFEST.MF", "mimetype", "AndroidManifest.xml"})
_Visit = Callable[[tuple[str, ...], dict[str, str], str], None]


class _NotOfdError(Exception):
    """Not as the standard has it."""


def inspect_ofd(file: io.RawIOBase, parent: Parent, page_limit: int) -> None:
    """Confirm that the file is an OFD, then tell its pages; it raises where either cannot be done."""
    with zipfile.ZipFile(cast("IO[bytes]", file)) as archive:
        names = set(archive.namelist())
        starts = min((entry.header_offset for entry in archive.infolist()), default=-1)
        if starts != 0 or len(names) > _ENTRIES_LIMIT or not _OTHER_KINDS.isdisjoint(names):
            raise _NotOfdError
        roots = _document_roots(archive)
        parent.tell(frames.CONFIRMED)
        if any(archive.getinfo(root).flag_bits & _IS_ENCRYPTED for root in roots):
            parent.warn(IntakeWarning.PASSWORD_PROTECTED)
            return
        count = 0
        for root in roots:
            count += _page_count(archive, root, page_limit)
        parent.tell_count(min(count, page_limit + 1))


def _document_roots(archive: zipfile.ZipFile) -> list[str]:
    roots: list[str] = []
    kinds: list[str | None] = []

    def visit(path: tuple[str, ...], attributes: dict[str, str], text: str) -> None:
        if path == ("OFD",):
            kinds.append(attributes.get("DocType"))
        elif path == ("OFD", "DocBody", "DocRoot") and len(roots) < _DOCUMENTS_LIMIT:
            roots.append(posixpath.normpath(text.strip().lstrip("/")))

    _walk(archive, "OFD.xml", visit)
    if kinds != ["OFD"] or not roots:
        raise _NotOfdError
    return roots


def _page_count(archive: zipfile.ZipFile, root: str, page_limit: int) -> int:
    count = 0

    def visit(path: tuple[str, ...], attributes: dict[str, str], text: str) -> None:
        nonlocal count
        count += path == ("Document", "Pages", "Page")

    _walk(archive, root, visit)
    return count


def _walk(archive: zipfile.ZipFile, name: str, visit: _Visit) -> None:
    """Call `visit` with path, attributes and text of each element of the standard's namespace, as it ends."""
    entry = archive.getinfo(name)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.file_size > _XML_LIMIT:
        raise _NotOfdError
    parser = expat.ParserCreate(namespace_separator=" ")
    path: list[str] = []
    attributes: list[dict[str, str]] = []
    text = ""

    def begin(element: str, told: dict[str, str]) -> None:
        nonlocal text
        namespace, _, local = element.rpartition(" ")
        path.append(local if namespace == _NAMESPACE else element)
        attributes.append(told)
        text = ""
        if len(path) > _DEPTH_LIMIT:
            raise _NotOfdError

    def add(piece: str) -> None:
        nonlocal text
        text += piece

    def end(element: str) -> None:
        visit(tuple(path), attributes.pop(), text)
        path.pop()

    def refuse(*_: object) -> None:
        raise _NotOfdError

    parser.StartElementHandler = begin
    parser.CharacterDataHandler = add
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    read = 0
    with archive.open(entry) as stream:
        while piece := stream.read(_PIECE):
            read += len(piece)
            if read > _XML_LIMIT:
                raise _NotOfdError
            parser.Parse(piece, False)
    parser.Parse(b"", True)
