"""Logistics (后勤保障部): dormitory rooms and who sleeps in which bed."""
