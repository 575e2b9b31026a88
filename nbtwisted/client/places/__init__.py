"""Where the workers of a cluster write answers by themselves."""
