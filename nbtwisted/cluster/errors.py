"""What can be wrong with a cluster. Pure."""

__all__ = ["ClusterError"]


class ClusterError(Exception):
    """A cluster, or a worker of it, is of no use; the text says why."""
