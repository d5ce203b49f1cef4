"""Who looked at what of a student (查阅记录): for the student, the guardians and the auditors."""
