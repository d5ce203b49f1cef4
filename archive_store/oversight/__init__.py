"""Oversight (审计): the audit histories of all types in one table, and searching them."""
