"""Student records (学籍): the reference room. Field-governed reads and exports, `student.update`, status, moments."""
