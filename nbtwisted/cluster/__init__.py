"""Parts of a run on the workers of a Dask cluster, which is this machine or many."""
