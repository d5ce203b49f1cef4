"""Records of one person that stand twice (重复学籍): candidates, and merging by approval."""
