"""A run divided over the workers of a cluster: the driver's end, and a part's."""
