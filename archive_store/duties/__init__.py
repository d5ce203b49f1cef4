"""Duties and their times: the work calendar by which deadlines in working days are counted."""
