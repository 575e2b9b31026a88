"""From a blocking recv to await: lessons, each a page, a program and exercises."""
