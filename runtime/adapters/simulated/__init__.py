"""The simulated exchange: an account that trades on any market data, in process or over a socket. Paper and tests.

    exchange     the ports in process           server       the same over HTTP, at Binance's own paths
    venue        one account, one caller at a time; both ways go through it
    conditions   the weather: costs, delays, faults, limits, a seed
    books        what the exchange itself knows; persistence keeps it in a file
    orders, matching, earn, meter               the desks, and the counting of calls
    events       what happens without the engine
    wire, dispatch, routes*, answers, refusals  HTTP: requests, their order of checks, paths, JSON, error codes
    markets, candle_files, listing, documents   history as a market

Nothing here knows the engine: it may be wrong about what it did, and this must not agree with it out of courtesy.
"""
