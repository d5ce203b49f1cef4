"""What is looked for in a file before it is archived: its kind, its pages, how well it was scanned, viruses.

Knows nothing of scans as records. A child process imports the package to look into hostile files, so it stays empty;
`inspect.py` is the door, `child.py` the other side of it.
"""
