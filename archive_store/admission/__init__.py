"""Admission: rosters (花名册) checked row by row and imported as one."""
