"""The enums of certificates as GraphQL ones."""

from __future__ import annotations

from archive_store.certificates.documents import CertificateKind, CertificateState
from schema.enum_names import name_enum

name_enum(
    CertificateKind,
    "证书种类.",
    {"GRADUATION": "毕业证书", "COMPLETION": "结业证书", "INCOMPLETE": "肄业证书"},
)
name_enum(
    CertificateState,
    "证书状态.",
    {"VALID": "有效", "REVOKED": "已撤销", "SUPERSEDED": "已补发或换发"},
)

__all__ = ["CertificateKind", "CertificateState"]
