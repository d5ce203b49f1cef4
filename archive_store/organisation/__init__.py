"""School, campuses, cohorts and classes (学校、校区、年级、班级), and who is assigned to them."""
