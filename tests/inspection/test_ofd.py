"""What is an OFD among zip archives, and its pages."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.inspection.findings import Finding, IntakeWarning
from archive_store.inspection.media_types import OFD, media_type_of
from tests.inspection.papers import NAMESPACE, inspected, ofd, zipped

W = IntakeWarning
ROOT = (
    f'<OFD xmlns="{NAMESPACE}" DocType="OFD"><DocBody><DocRoot>Doc_0/Document.xml</DocRoot></DocBody></OFD>'
)


async def refused(content: bytes) -> bool:
    with pytest.raises(RegistrarError) as caught:
        await inspected(content, OFD)
    return caught.value.code is ErrorCode.UNSUPPORTED_MEDIA_TYPE


@pytest.mark.parametrize("pages", [1, 2, 500])
async def test_pages_of_an_ofd(pages: int) -> None:
    content = ofd(pages)
    assert media_type_of(content[:4096]) == OFD
    found = await inspected(content, OFD)
    assert (found.page_count, found.findings, found.preview) == (pages, (), None)


@pytest.mark.parametrize("root", ["/Doc_0/Document.xml", " Doc_0/Document.xml\n", "Doc_0/./Document.xml"])
async def test_ways_to_name_the_document(root: str) -> None:
    assert (await inspected(ofd(3, root=root), OFD)).page_count == 3


async def test_pages_of_several_documents() -> None:
    body = "<DocBody><DocRoot>{}/Document.xml</DocRoot></DocBody>"
    root = f'<OFD xmlns="{NAMESPACE}" DocType="OFD">{body.format("A")}{body.format("B")}</OFD>'
    pages = f'<Document xmlns="{NAMESPACE}"><Pages><Page/><Page/></Pages><Other><Page/></Other></Document>'
    content = zipped({"OFD.xml": root, "A/Document.xml": pages, "B/Document.xml": pages})
    assert (await inspected(content, OFD)).page_count == 4


async def test_more_pages_than_the_limit() -> None:
    with pytest.raises(RegistrarError) as caught:
        await inspected(ofd(11), OFD, page_limit=10)
    assert caught.value.code is ErrorCode.TOO_MANY_PAGES


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04" + bytes(200),
        zipped({}),
        zipped({"a.txt": "text"}),
        zipped({"[Content_Types].xml": "<Types/>", "word/document.xml": "<w/>"}),
        zipped({"META-INF/MANIFEST.MF": "Manifest-Version: 1.0", "A.class": "x"}),
        ofd(more={"META-INF/MANIFEST.MF": "Manifest-Version: 1.0"}),
        ofd(more={"[Content_Types].xml": "<Types/>"}),
        ofd(more={"mimetype": "application/epub+zip"}),
        zipped({"Doc/OFD.xml": ROOT}),
        zipped({"OFD.xml": ""}),
        zipped({"OFD.xml": "no xml"}),
        zipped({"OFD.xml": ROOT[:-3]}),
        zipped({"OFD.xml": ROOT.replace('DocType="OFD"', 'DocType="OFD-A"')}),
        zipped({"OFD.xml": ROOT.replace(NAMESPACE, "urn:another")}),
        zipped({"OFD.xml": f'<OFD xmlns="{NAMESPACE}" DocType="OFD"/>'}),
        zipped({"OFD.xml": f"<x>{ROOT}</x>"}),
        b"MZ" + ofd(),
        ofd()[:-10],
    ],
)
async def test_no_other_archive_passes(content: bytes) -> None:
    assert await refused(content)


async def test_entities_are_refused_before_they_are_expanded() -> None:
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x"}">' for n in range(12))
    assert await refused(zipped({"OFD.xml": f"<!DOCTYPE OFD [{bomb}]>" + ROOT.replace("Doc_0", "&e11;")}))
    assert await refused(zipped({"OFD.xml": f'<!DOCTYPE OFD SYSTEM "file:///etc/passwd">{ROOT}'}))
    document = f"<!DOCTYPE Document [{bomb}]><Document xmlns='{NAMESPACE}'>&e11;</Document>"
    found = await inspected(ofd(more={"Doc_0/Document.xml": document}), OFD)
    assert (found.page_count, found.findings) == (None, (Finding(W.UNREADABLE),))


@pytest.mark.parametrize(
    "document",
    [
        " " * 17 * 1024 * 1024,
        "<a>" * 1000,
        f'<Document xmlns="{NAMESPACE}"/>',
        "torn",
    ],
)
async def test_a_document_that_cannot_be_counted(document: str) -> None:
    found = await inspected(ofd(more={"Doc_0/Document.xml": document}), OFD)
    assert (found.page_count, found.findings) == (None, (Finding(W.UNREADABLE),))


async def test_a_document_that_is_not_there() -> None:
    for root in ("Doc_1/Document.xml", "../../etc/passwd", "/"):
        assert (await inspected(ofd(root=root), OFD)).warnings == (W.UNREADABLE,)


async def test_a_size_that_lies() -> None:
    content = bytearray(ofd(more={"Doc_0/Document.xml": " " * 17 * 1024 * 1024}))
    entry = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 4)
    struct.pack_into("<I", content, entry + 24, 100)
    assert (await inspected(bytes(content), OFD)).warnings == (W.UNREADABLE,)


async def test_an_archive_under_a_password() -> None:
    buffer = io.BytesIO(ofd())
    with zipfile.ZipFile(buffer) as archive:
        places = [archive.getinfo("Doc_0/Document.xml").header_offset + 6]
    content = bytearray(buffer.getvalue())
    places.append(content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 4) + 8)
    for place in places:
        content[place] |= 1
    found = await inspected(bytes(content), OFD)
    assert (found.page_count, found.warnings) == (None, (W.PASSWORD_PROTECTED,))
