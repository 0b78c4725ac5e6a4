"""Sweeps: who chooses the next trials, who runs them, and where they are kept.

    choosing     Optuna, asked in batches; a grid needs no library
    processes    trials on this machine's cores, by joblib
    cluster      trials on a Dask cluster
    folder       trials in Parquet, each safe the moment it is done

The libraries behind this are those of the `research` extra; each module is imported only when it is asked for.
"""
