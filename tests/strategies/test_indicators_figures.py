"""The figures of the indicators: published ones to every digit shown, and pandas' opinion on many days.

Sources: the dataset RuochenLyu/ahr999-dataset (the SMA column of `AHR_TABLE`, and `AHR_PAGES`); the rest was recomputed
from two republished copies of Binance's daily candles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from runtime.domain.market import (
    BtcFacts,
    DailySeries,
    SymbolFacts,
)
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import DAY_MS, day_start_ms
from strategies.indicators import (
    Cost,
    ahr999,
    average_true_range,
    btc_facts,
    growth_valuation,
    symbol_facts,
)
from tests.support.klines import cut, real_series, walk

CANDLES_END = "2025-06-30"  # later rows are checked from their own close and cost
FIRST_MS = day_start_ms(date(2022, 1, 1))
COSTS: tuple[Cost, ...] = ("arithmetic", "geometric", "harmonic")

AHR_TABLE = """
2018-03-04  11515.00 3347   3749.6382   8756.4903   7800.3935   6947.9588 4.038392 4.533379  5.089572 1.315025  0.6630
2018-12-15   3211.72 3633   6052.7108   6319.1725   6202.7015   6057.8887 0.269690 0.274754  0.281322 0.508250 -2.8391
2019-03-03   3807.75 3711   6852.1549   5061.7238   4860.9907   4669.3619 0.418034 0.435296  0.453161 0.752263 -0.8808
2019-06-26  13093.80 3826   8188.9949   5189.6022   4855.5311   4597.6093 4.034286 4.311854  4.553745 2.523084  3.7991
2020-03-12   4800.00 4086  12022.1581   8620.3676   8551.6021   8480.8405 0.222318 0.224106  0.225975 0.556821 -3.5403
2020-03-16   5028.97 4090  12091.0528   8527.1886   8444.1546   8354.9879 0.245295 0.247707  0.250350 0.589757 -3.0192
2021-02-21  57408.57 4432  19326.0256  21035.1355  18260.9755  16245.9965 8.107101 9.338711 10.496984 2.729175  3.0154
2021-04-13  63575.00 4483  20661.4804  32201.7939  27405.4929  23090.2600 6.074790 7.137953  8.471932 1.974269  1.8263
2021-11-08  67525.83 4692  26960.6737  45483.0504  44479.1155  43504.5896 3.718429 3.802358  3.887533 1.484637  2.2826
2022-06-18  18970.79 4914  35316.7953  39755.9547  39055.3863  38264.5874 0.256323 0.260921  0.266313 0.477181 -2.9319
2022-11-21  15781.29 5070  42388.3472  22330.4395  21968.3538  21645.1260 0.263112 0.267449  0.271443 0.706716 -1.5375
2022-11-22  16226.94 5071  42437.1965  22231.5053  21880.9591  21566.0995 0.279099 0.283570  0.287710 0.729907 -1.4403
2023-03-02  23465.32 5171  47563.6638  19733.4060  19580.4563  19429.7002 0.586645 0.591228  0.595815 1.189117  1.5081
2024-03-13  73072.41 5548  71739.2583  39558.7879  38125.6482  36795.2934 1.881512 1.952238  2.022822 1.847185  3.0251
2025-01-20 102260.01 5861  98845.0335  75045.0846  73256.3795  71606.8437 1.409726 1.444147  1.477414 1.362648  1.6129
2025-06-30 107146.50 6022 115793.9814  96265.3765  95864.1321  95452.8335 1.029911 1.034222  1.038679 1.113033  1.2519
2026-02-05  62909.86 6242 142787.6953 103039.9821 102173.8139 101275.7041 0.268993 0.271273  0.273679 0.610538 -3.0557
2026-02-06  70580.26 6243 142921.3389 102805.9816 101914.2808 100986.8303 0.339040 0.342007  0.345147 0.686538 -2.4244
2026-04-10  72962.70 6306 151552.5206  88297.8392  86730.7933  85198.1726 0.397822 0.405010  0.412295 0.826325 -0.9146
"""
AHR_COLUMNS = [
    "day",
    "close",
    "age",
    "fit",
    "arithmetic",
    "geometric",
    "harmonic",
    "ahr_arithmetic",
    "ahr_geometric",
    "ahr_harmonic",
    "mayer",
    "z",
]
AHR_ROWS = [dict(zip(AHR_COLUMNS, line.split(), strict=True)) for line in AHR_TABLE.strip().splitlines()]

AHR_PAGES = [  # day, close, MA200, AHR999 as the pages show them
    ("2026-05-14", 81089.99, 82131.39, "0.5119"),
    ("2026-05-26", 75930.01, 80301.80, "0.4541"),
    ("2026-06-01", 71408.90, 79417.02, "0.4038"),
    ("2026-06-03", 64142.75, 79120.59, "0.3264"),
    ("2026-06-04", 63885.99, 78968.71, "0.3242"),
    ("2026-06-05", 61056.47, 78812.92, "0.2964"),
]

TREND_TABLE = """
2019-06-26  0.113152 0.034132  689.9171  669.4429  0.681560  1.472539  2.437388 2.8321
2020-03-12 -0.025030 0.091654  624.0529  641.7646 -0.503981 -0.413560 -0.453124 2.8745
2021-04-13  0.172410 0.027818 2415.3364 2829.3492  0.215498  0.344433  2.298632 3.4398
2022-11-21 -0.087559 0.048991 1188.1743  850.8718 -0.229565 -0.186600 -0.301084 0.3212
2024-03-13  0.098296 0.035824 3626.3679 3084.7376  0.424735  0.705387  1.055414 3.0976
2025-06-30  0.008814 0.015054 2713.9307 2619.3135 -0.028365  0.110443  0.136592 2.9965
"""
TREND_COLUMNS = ["day", "slope", "vol20", "atr_sma", "atr_wilder", "roc20", "roc60", "roc120", "q95"]
TREND_ROWS = [dict(zip(TREND_COLUMNS, line.split(), strict=True)) for line in TREND_TABLE.strip().splitlines()]


def assert_shown(value: float | None, text: str) -> None:
    """`value` rounds to `text`, to every digit shown."""
    unit = 10.0 ** -len(text.partition(".")[2])
    assert value == pytest.approx(float(text), rel=0, abs=unit * 0.500001)


def until(series: DailySeries, day: str) -> DailySeries:
    """The series as known after the close of `day`."""
    return cut(series, (day_start_ms(date.fromisoformat(day)) - series.first_open_ms) // DAY_MS + 1)


@pytest.mark.parametrize("row", [row for row in AHR_ROWS if row["day"] <= CANDLES_END], ids=lambda row: row["day"])
def test_costs_zscores_and_ahr999_of_real_closes_are_the_published_ones(row: Mapping[str, str]) -> None:
    closes = until(real_series("BTCUSDT"), row["day"]).close
    assert closes[-1] == float(row["close"])
    for cost in COSTS:
        facts = btc_facts(closes, cost, 2.5, 0.95)
        assert_shown(facts.cost200, row[cost])
        assert_shown(facts.geom200, row["geometric"])
        assert_shown(facts.zscore, row["z"])
        assert_shown(closes[-1] / (facts.ma200 or math.nan), row["mayer"])
        found = ahr999(closes[-1], facts, StrategySettings(ahr999_cost=cost), date.fromisoformat(row["day"]))
        assert_shown(found, row[f"ahr_{cost}"])


@pytest.mark.parametrize("row", AHR_ROWS, ids=lambda row: row["day"])
def test_ahr999_follows_from_price_cost_and_date(row: Mapping[str, str]) -> None:
    day, close = date.fromisoformat(row["day"]), float(row["close"])
    assert (day - date(2009, 1, 3)).days == int(row["age"])
    assert_shown(growth_valuation(day), row["fit"])
    for cost in COSTS:
        found = ahr999(close, BtcFacts(close, cost200=float(row[cost])), StrategySettings(ahr999_cost=cost), day)
        assert found == pytest.approx(float(row[f"ahr_{cost}"]), rel=0, abs=1e-6)  # the cost itself is rounded


@pytest.mark.parametrize(("day", "close", "average", "shown"), AHR_PAGES)
def test_ahr999_as_later_pages_show_it(day: str, close: float, average: float, shown: str) -> None:
    chosen = StrategySettings(ahr999_cost="arithmetic")
    assert_shown(ahr999(close, BtcFacts(close, cost200=average), chosen, date.fromisoformat(day)), shown)


@pytest.mark.parametrize("row", TREND_ROWS, ids=lambda row: row["day"])
def test_trend_and_volatility_of_real_candles_are_the_recomputed_ones(row: Mapping[str, str]) -> None:
    series = until(real_series("BTCUSDT"), row["day"])
    facts, btc = symbol_facts(series), btc_facts(series.close, "geometric", 0.0, 0.95)
    assert_shown(btc.ma200_slope, row["slope"])
    assert_shown(btc.sell_trigger, row["q95"])
    assert btc_facts(series.close, "geometric", 9.0, 0.95).sell_trigger == 9.0
    assert_shown(facts.vol20, row["vol20"])
    assert_shown(facts.atr14, row["atr_sma"])
    assert_shown(symbol_facts(series, "wilder").atr14, row["atr_wilder"])
    for name in ("roc20", "roc60", "roc120"):
        assert_shown(getattr(facts, name), row[name])
        assert getattr(facts, name) == getattr(btc, name)


@pytest.mark.parametrize(
    ("age", "fit"),
    [
        (2000, "185.3596"),
        (3000, "1978.7372"),
        (4000, "10617.6975"),
        (5000, "39082.7240"),
        (6000, "113345.2441"),
        (6500, "180889.7684"),
    ],
)
def test_the_growth_valuation_of_known_ages(age: int, fit: str) -> None:
    assert_shown(growth_valuation(date(2009, 1, 3) + timedelta(days=age)), fit)


BARS = DailySeries(
    "WORKED",
    0,
    (10.0, 11.0, 12.0, 11.5, 13.0),
    (8.0, 9.0, 10.0, 10.5, 11.0),
    (9.0, 10.5, 11.0, 10.6, 12.5),
    (None,) * 5,
)


def test_the_worked_example_of_the_average_true_range() -> None:
    assert average_true_range(BARS, 3, "sma") == pytest.approx(1.8)
    wilder = [average_true_range(cut(BARS, days), 3, "wilder") for days in range(6)]
    assert wilder == [None, None, None, 2.0, pytest.approx(5 / 3), pytest.approx(1.9111111111)]
    assert [average_true_range(cut(BARS, days), 3, "sma") for days in range(4)] == [None] * 4


# --- a second opinion -------------------------------------------------------------------------------------------------

SYMBOLS = ["made up", "BTCUSDT", "ETHUSDT", "SOLUSDT", "PEPEUSDT", "EOSUSDT"]
DAYS_SAMPLED = 43


def series_named(name: str) -> DailySeries:
    return walk("MADEUSDT", 1400, FIRST_MS) if name == "made up" else real_series(name)


def sampled(series: DailySeries) -> range:
    return range(len(series.close), 0, -DAYS_SAMPLED)


def by_pandas(series: DailySeries) -> pd.DataFrame:
    """Every symbol indicator of every day, the way an analyst would write it."""
    table = pd.DataFrame(
        {name: getattr(series, name) for name in ("high", "low", "close", "quote_volume")}, dtype=float
    )
    close, before = table["close"], table["close"].shift()
    spans = [table["high"] - table["low"], (table["high"] - before).abs(), (table["low"] - before).abs()]
    full = pd.concat(spans, axis=1).max(axis=1)
    for days in (20, 60, 200):
        table[f"sma{days}"] = close.rolling(days).mean()
    for days in (20, 60, 120):
        table[f"roc{days}"] = close.pct_change(days)
    table["vol20"] = np.concatenate(
        [np.full(20, np.nan), np.lib.stride_tricks.sliding_window_view(close.pct_change()[1:], 20).std(axis=1, ddof=1)]
    )
    table["atr14"] = full.where(before.notna()).rolling(14).mean()
    seeded = full.where(full.index >= 14)
    seeded[13] = full[:14].mean()
    table["wilder14"] = seeded.ewm(alpha=1 / 14, adjust=False).mean()
    for days in (30, 90, 180):
        table[f"avg_quote_vol_{days}"] = table["quote_volume"].rolling(days).mean()
    above = (close > table["sma200"]).where(table["sma200"].notna()).astype(float)
    table["trend_persist_90"] = above.rolling(90).mean()
    return table


@pytest.mark.parametrize("name", SYMBOLS)
def test_symbol_facts_agree_with_pandas_on_many_days(name: str) -> None:
    series = series_named(name)
    table = by_pandas(series)
    for days in sampled(series):
        facts = symbol_facts(cut(series, days))
        expected = table.iloc[days - 1]
        for column in SymbolFacts.__dataclass_fields__:
            if column == "age_days":
                assert facts.age_days == days
            else:
                assert_agree(getattr(facts, column), expected[column], column)
        assert_agree(symbol_facts(cut(series, days), "wilder").atr14, expected["wilder14"], "wilder14")


def assert_agree(ours: float | None, theirs: float, what: str) -> None:
    if math.isnan(theirs):
        assert ours is None, what
    else:
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12), what


@pytest.mark.parametrize("name", ["made up", "BTCUSDT", "ETHUSDT"])
def test_btc_facts_agree_with_pandas_on_many_days(name: str) -> None:
    series = series_named(name)
    close = pd.Series(series.close)
    mean = close.rolling(200).mean()
    windows = np.lib.stride_tricks.sliding_window_view(close, 200)
    score = (close - mean) / np.concatenate([np.full(199, np.nan), windows.std(axis=1, ddof=1)])
    trigger = score.rolling(365).quantile(0.95, interpolation="linear").clip(lower=1.5)
    columns = {
        "close": close,
        "ma200": mean,
        "ma200_slope": mean.pct_change(20),
        "zscore": score,
        "sell_trigger": trigger,
        "geom200": close.map(math.log).rolling(200).mean().map(math.exp),
        "cost200": 200 / (1 / close).rolling(200).sum(),
        "roc20": close.pct_change(20),
        "roc60": close.pct_change(60),
        "roc120": close.pct_change(120),
    }
    for days in sampled(series):
        facts = btc_facts(series.close[:days], "harmonic", 1.5, 0.95)
        for column, expected in columns.items():
            assert_agree(getattr(facts, column), float(expected[days - 1]), column)
        below = (score <= trigger)[:days][::-1].to_list()[:40]
        assert facts.zscore_days == (below.index(False) if False in below else len(below))
