"""Admission (新生入学): cases in four steps, from collection to confirmation, policy §三(一)."""
