"""Candle folders: years of klines on this machine, as history reads them and as a download writes them.

    folder    what lies where, what a query gets of it, and all that is wrong with it, in one text
    cache     parsed files, by the bytes they were parsed from
    rows      one file's text as columns, quickly, or not at all
    archive   the same folder as a download fills it: parts (what is in progress), manifest (what is done, digests)
    faults    why a text could not be read: row, column, value and fix

    FOLDER/1h/<SYMBOL>.csv.gz and FOLDER/1d/<SYMBOL>.csv.gz     hours, and days (without them days are made of hours)
    FOLDER/<SYMBOL>.csv.gz                                      hours alone
    each may be plain `.csv` too, and each may have the shape of Binance's own public files (12 columns, no header)

`read_candles(folder, CandleQuery(start_ms, end_ms, symbols), cache_folder) -> CandleSet` is all that a reader needs;
the values are in `runtime.domain.candle_columns`. It raises `BadCandles` with every problem found: file, row, value
and fix.

The simulated exchange has a reader of its own for the same files: an hour of paper needs one row of each and reads
lazily; history needs all of them at once.
"""

from runtime.adapters.candles.archive import CandleArchive
from runtime.adapters.candles.folder import read_candles
from runtime.adapters.candles.layout import symbols_in

__all__ = ["CandleArchive", "read_candles", "symbols_in"]
