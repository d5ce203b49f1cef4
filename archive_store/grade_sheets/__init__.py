"""成绩单文件: grades of one arrangement sent as a file, and the sheet to fill in (policy §一(一))."""
