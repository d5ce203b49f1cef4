"""Student records (学籍): the reference room. Documents, the field-governed reads, and `student.update`."""
