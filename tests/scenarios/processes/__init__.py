"""Real processes, really killed: the live wiring against a simulated exchange over HTTP and a store on the disk.

    clock      time shared by all processes: it moves when somebody waits, or when the test moves it
    nursery    forks one process an hour from a parent that has imported everything; the child's side of an hour
    stage      one account: exchange, server, store, and runs of its hours
    campaign   seeded episodes: a run is killed or stopped somewhere, then normal hours follow, then the audit

`python -m tests.scenarios.processes --kills 500 --seed 1` runs a long campaign.
"""
