"""Certificates (毕业证书): number ranges, issue, revocation and reissue, and the signed credential of each.

Policy §三(一) 毕业证发放 and §四(一) 学历认证. What the public may check is in `publication.py`; the check
that needs no database is in `verification.py`.
"""
