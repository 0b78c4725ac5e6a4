"""Binance over python-binance 1.0.37: the ports `MarketData` and `Exchange`, spoken over HTTP.

    client      one connection: sessions a thread, signing, the exchange's clock, bounded retries of reads
    errors      the one table of Binance's codes, and what each means to a read and to a send
    payloads    JSON to domain values, and nothing that is not JSON's shape
    market      prices, pairs, candles
    exchange    account, orders, trades
    key         what the API key may do
    earn        Simple Earn: positions, product, moves, records
    flows       deposits, withdrawals, rewards

Importing a module of this folder imports python-binance (about 0.3 s of CPU), so only the modes that need it do.
"""
