"""Matching, over wide inputs: parts stay on the step, prices never help the taker, fees are never rounded up."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from runtime.adapters.simulated.books import Draft
from runtime.adapters.simulated.conditions import Costs
from runtime.adapters.simulated.matching import Ticket, commission, executed, parts, quote_amount, ticket, worse
from runtime.adapters.simulated.refusals import ApiError
from runtime.domain.instruments import Instrument, LotRule
from runtime.domain.money import ZERO
from runtime.domain.orders import Side

D = Decimal
STEPS = st.sampled_from([D(1), D("0.1"), D("0.001"), D("0.00001"), D("0.00000001")])
PRICES = st.decimals(min_value=D("0.00000001"), max_value=D(200_000), places=8)
SIDES = st.sampled_from(Side)
COSTS = st.builds(
    Costs,
    fee=st.decimals(min_value=0, max_value=D("0.01"), places=5),
    spread_bps=st.integers(0, 100).map(Decimal),
    slippage_bps=st.integers(0, 100).map(Decimal),
    bnb_discount=st.booleans(),
    fills_max=st.integers(1, 6),
    liquidity=st.one_of(st.just({}), st.builds(lambda cap: {"*": cap}, st.integers(0, 10_000).map(Decimal))),
)


def order(side: Side, step: Decimal, units: int, price: Decimal) -> Ticket:
    pair = Instrument("ETHUSDT", "ETH", "USDT", lot=LotRule(step, ZERO, step))
    return Ticket(Draft("ETHUSDT", side, "bp-1", units * step), pair, units * step, price)


@given(SIDES, STEPS, st.integers(1, 10**7), PRICES, COSTS, st.integers())
def test_parts_add_up_on_the_step_and_never_favour_the_taker(
    side: Side, step: Decimal, units: int, price: Decimal, costs: Costs, seed: int
) -> None:
    asked = order(side, step, units, price)
    done = executed(asked, costs)
    found = parts(asked, done, costs, Random(seed))
    assert sum((size for _, size in found), ZERO) == done <= asked.quantity
    assert len(found) <= costs.fills_max
    assert all(size > 0 and size % step == 0 for _, size in found)
    prices = [at for at, _ in found]
    assert prices == sorted(prices, reverse=side is Side.SELL)
    assert all(at >= price if side is Side.BUY else 0 < at <= max(price, D("1E-8")) for at in prices)


@given(SIDES, STEPS, st.integers(1, 10**7), PRICES, COSTS)
def test_a_fee_is_at_most_its_rate_and_has_eight_decimals(
    side: Side, step: Decimal, units: int, price: Decimal, costs: Costs
) -> None:
    asked = order(side, step, units, price)
    fill = commission(asked, (price, asked.quantity), costs, (D(10), D(600)))
    value = max(quote_amount(price, asked.quantity), price * asked.quantity)
    worth = {"BNB": D(600), "ETH": price, "USDT": D(1)}[fill.commission_asset]
    assert fill.commission * worth <= value * costs.fee
    assert fill.commission == fill.commission.quantize(D("1E-8"))
    assert fill.commission_asset != "BNB" or fill.commission <= 10


@given(SIDES, PRICES)
def test_without_spread_and_slippage_the_price_is_the_markets(side: Side, price: Decimal) -> None:
    assert worse(price, side, ZERO, 0) == price


def test_a_price_off_the_grid_is_rounded_against_the_taker() -> None:
    price = D("0.12345")
    assert worse(price, Side.BUY, D(1), 5) == D("0.12347")  # 0.123462345
    assert worse(price, Side.SELL, D(1), 5) == D("0.12343")  # 0.123437655
    assert worse(D("0.00001"), Side.SELL, D(1), 5) == D("0.00001")  # never for nothing


@given(STEPS, PRICES, st.decimals(min_value=1, max_value=10**6, places=2), COSTS)
def test_a_quote_quantity_is_never_overspent(step: Decimal, price: Decimal, budget: Decimal, costs: Costs) -> None:
    pair = Instrument("ETHUSDT", "ETH", "USDT", lot=LotRule(step, ZERO, step))
    try:
        asked = ticket(Draft("ETHUSDT", Side.BUY, "bp-1", None, budget), pair, price, costs)
    except ApiError:
        assume(condition=False)
        raise
    found = parts(asked, asked.quantity, costs, Random(0))
    assert sum((at * size for at, size in found), ZERO) <= budget
