"""The XML of a transfer package: the encapsulation after DA/T 48-2009, with the metadata of DA/T 46-2009.

The contents stay files of their own: 编码数据 has their digest, as the standard allows for data that is kept outside.
docs/packages.md names the source of each field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from archive_store.preservation.packages import DamagedPackageError, Package, PackagedEvent, PackagedScan

NAMESPACE = "http://www.saac.gov.cn/standards/ERM/encapsulation"
RETENTION = {"PERMANENT": "永久", "YEARS_30": "30年", "YEARS_10": "10年"}
_DIGEST = "sha256-hex"
_DESCRIPTION = re.compile("移交包;未移交扫描件([0-9]{1,9})件;已销毁扫描件([0-9]{1,9})件")
_SIZE_LIMIT = 64 * 1024 * 1024


def encapsulation(package: Package) -> bytes:
    """The XML document."""
    root = Element("电子文件封装包", {"xmlns": NAMESPACE})
    add_text(root, "封装包格式描述", "本封装包参照DA/T 48-2009《基于XML的电子文件封装规范》")
    add_text(root, "版本", "2009")
    signed = SubElement(root, "被签名对象", {"eep版本": "2009"})
    add_text(signed, "封装包类型", "原始型")
    add_text(signed, "封装包类型描述", _description(package.withheld, package.disposed))
    add_text(signed, "封装包创建时间", package.created_at)
    add_text(signed, "封装包创建单位", package.unit)
    content = SubElement(signed, "封装内容")
    files = SubElement(content, "文件实体块")
    for number, scan in enumerate(package.scans, start=1):
        _add_scan(files, package, number, scan)
    business = SubElement(content, "业务实体块")
    agents = SubElement(content, "机构人员实体块")
    for scan in package.scans:
        for event in scan.events:
            _add_event(business, scan, event)
    for name in sorted({event.actor for scan in package.scans for event in scan.events}):
        agent = SubElement(agents, "机构人员实体")
        add_text(agent, "机构人员类型", "个人")
        add_text(agent, "机构人员名称", name)
    return xml_document(root)


def _description(withheld: int, disposed: int) -> str:
    return f"移交包;未移交扫描件{withheld}件;已销毁扫描件{disposed}件"


def _add_scan(files: Element, package: Package, number: int, scan: PackagedScan) -> None:
    entity = SubElement(files, "文件实体")
    add_text(entity, "聚合层次", "文件")
    add_text(SubElement(entity, "来源"), "立档单位名称", package.unit)
    add_text(entity, "电子文件号", scan.id)
    code = SubElement(entity, "档号")
    add_text(code, "年度", scan.filed_at[:4])
    add_text(code, "保管期限", RETENTION.get(scan.retention, scan.retention))
    add_text(code, "类别号", scan.document_type)
    add_text(code, "室编案卷号", package.student_id)
    add_text(code, "室编件号", str(number))
    described = SubElement(entity, "内容描述")
    add_text(described, "题名", scan.title)
    add_text(described, "人名", package.student_name)
    add_text(described, "责任者", scan.filed_by)
    add_text(described, "日期", scan.filed_at)
    form = SubElement(entity, "形式特征")
    add_text(form, "文件组合类型", "单件")
    add_text(form, "件数", "1")
    if scan.page_count is not None:
        add_text(form, "页数", str(scan.page_count))
    document = SubElement(SubElement(entity, "文件数据"), "文档")
    add_text(document, "文档标识符", f"{scan.id}-1")
    add_text(document, "文档序号", "1")
    coded = SubElement(SubElement(document, "文档数据"), "编码")
    electronic = SubElement(coded, "电子属性")
    add_text(electronic, "格式信息", scan.media_type)
    add_text(electronic, "计算机文件名", scan.path)
    add_text(electronic, "计算机文件大小", str(scan.size))
    add_text(coded, "编码描述", "文档数据在本包data目录内,此处为其SHA-256摘要")
    add_text(coded, "反编码关键字", _DIGEST)
    add_text(coded, "编码数据", scan.sha256)


def _add_event(business: Element, scan: PackagedScan, event: PackagedEvent) -> None:
    entity = SubElement(business, "业务实体")
    add_text(entity, "业务标识符", str(event.sequence))
    add_text(entity, "文件标识符", scan.id)
    add_text(entity, "机构人员名称", event.actor)
    add_text(entity, "业务状态", "历史行为")
    add_text(entity, "业务行为", event.kind)
    add_text(entity, "行为时间", event.at)
    add_text(entity, "行为依据", event.operation)
    place = "" if event.log_index is None else str(event.log_index)
    add_text(entity, "行为描述", f"hash {event.hash} log {place}".strip())


def parse_encapsulation(document: bytes) -> Package:
    """What the XML tells; DamagedPackageError where it is not well-formed or lacks something."""
    root = parse_xml(document)
    if root.tag != _name("电子文件封装包"):
        raise DamagedPackageError("the encapsulation is no 电子文件封装包")
    entities = root.findall(_path("被签名对象", "封装内容", "文件实体块", "文件实体"))
    events: dict[str, list[PackagedEvent]] = {}
    for entity in root.findall(_path("被签名对象", "封装内容", "业务实体块", "业务实体")):
        events.setdefault(_told(entity, "文件标识符"), []).append(_event(entity))
    scans = tuple(_scan(entity, events.pop(_told(entity, "电子文件号"), [])) for entity in entities)
    if events:
        raise DamagedPackageError("the encapsulation has a history of no scan")
    first = entities[0] if entities else None
    described = _told(root, "被签名对象", "封装包类型描述")
    counts = _DESCRIPTION.fullmatch(described)
    if counts is None:
        raise DamagedPackageError("the encapsulation is of another kind")
    return Package(
        unit=_told(root, "被签名对象", "封装包创建单位"),
        student_id="" if first is None else _told(first, "档号", "室编案卷号"),
        student_name="" if first is None else _told(first, "内容描述", "人名"),
        created_at=_told(root, "被签名对象", "封装包创建时间"),
        withheld=int(counts[1]),
        disposed=int(counts[2]),
        scans=scans,
    )


def _scan(entity: Element, events: Iterable[PackagedEvent]) -> PackagedScan:
    coded = ("文件数据", "文档", "文档数据", "编码")
    if _told(entity, *coded, "反编码关键字") != _DIGEST:
        raise DamagedPackageError("the encapsulation has a digest of another kind")
    kept = _told(entity, "档号", "保管期限")
    pages = entity.findtext(_path("形式特征", "页数"))
    return PackagedScan(
        id=_told(entity, "电子文件号"),
        path=_told(entity, *coded, "电子属性", "计算机文件名"),
        title=_told(entity, "内容描述", "题名"),
        document_type=_told(entity, "档号", "类别号"),
        media_type=_told(entity, *coded, "电子属性", "格式信息"),
        size=_number(_told(entity, *coded, "电子属性", "计算机文件大小")),
        page_count=None if pages is None else _number(pages),
        sha256=_told(entity, *coded, "编码数据"),
        retention=next((key for key, text in RETENTION.items() if text == kept), kept),
        filed_at=_told(entity, "内容描述", "日期"),
        filed_by=_told(entity, "内容描述", "责任者"),
        events=tuple(events),
    )


def _event(entity: Element) -> PackagedEvent:
    words = _told(entity, "行为描述").split(" ")
    if len(words) not in (3, 4) or words[0] != "hash" or words[2] != "log":
        raise DamagedPackageError("the encapsulation has an event of another kind")
    return PackagedEvent(
        sequence=_number(_told(entity, "业务标识符")),
        at=_told(entity, "行为时间"),
        actor=_told(entity, "机构人员名称"),
        operation=_told(entity, "行为依据"),
        kind=_told(entity, "业务行为"),
        hash=words[1],
        log_index=_number(words[3]) if len(words) == 4 else None,
    )


class _NoDocumentTypes(ElementTree.TreeBuilder):
    """With no document type there are no entities: none that is fetched, and none that grows."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise DamagedPackageError("the XML declares a document type, as no package does")


def parse_xml(document: bytes) -> Element:
    """The root of an XML document without a document type; DamagedPackageError for anything else."""
    if len(document) > _SIZE_LIMIT:
        raise DamagedPackageError("the XML is too large")
    parser = ElementTree.XMLParser(target=_NoDocumentTypes(), encoding="utf-8")  # noqa: S314 - see the class
    try:
        parser.feed(document)
        root: Element = parser.close()
    except (ElementTree.ParseError, ValueError) as error:
        raise DamagedPackageError("the XML is not well-formed") from error
    return root


def xml_document(root: Element) -> bytes:
    """Indented, as UTF-8."""
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def add_text(parent: Element, name: str, text: str) -> None:
    """A child with the text, without what XML has no place for, which no name or title needs."""
    SubElement(parent, name).text = "".join(char for char in text if char.isprintable())


def _name(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _path(*names: str) -> str:
    return "/".join(_name(name) for name in names)


def _told(element: Element, *names: str) -> str:
    text = element.findtext(_path(*names))
    if text is None:
        raise DamagedPackageError(f"the encapsulation lacks {names[-1]}")
    return text


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise DamagedPackageError("the encapsulation has no number where one must be")
    return int(text)
