"""Sweeps: who chooses the next trials, who runs them, and where they are kept.

    choosing     Optuna, asked one by one
    grid         every point of a space
    alone        trials in this process
    processes    trials on this machine's cores, by joblib's pool
    cluster      trials on a Dask cluster
    folder       trials in Parquet, each safe the moment it is done

The libraries behind `choosing`, `processes`, `cluster` and `folder` are those of the `research` extra; each module is
imported only when it is asked for.
"""
