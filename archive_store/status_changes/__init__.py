"""Status changes (学籍异动): which there are, the rules that they go by, and the operations that ask for them."""
