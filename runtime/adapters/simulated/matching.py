"""Market orders: what is refused before matching, and what it fills for.

The order of checks is Binance's: pair and its state, quantity, filters (−1013 with the filter's name), and only then
the balance (−2010), which needs the fills. Filters value an order at the market's price, not at the price it fills at.

A fill's price is the market's, moved against the taker by half the spread and its share of the slippage, rounded
against the taker to the decimals that keep price × quantity within 8. With neither, it is the market's price exactly.
The commission is cut to 8 decimals and taken from the received asset, or from BNB at the discount where that is on and
enough BNB is free (otherwise, as at Binance, silently the full fee from the received asset).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from random import Random

from runtime.adapters.simulated.books import PLACES, Draft
from runtime.adapters.simulated.conditions import Costs
from runtime.adapters.simulated.refusals import ApiError, filter_failure
from runtime.domain.instruments import Instrument, LotRule
from runtime.domain.money import FUEL, ONE, ZERO, floor_to_places, floor_to_step
from runtime.domain.orders import Fill, Side

BPS = Decimal(10_000)
_UNIT = ONE.scaleb(-PLACES)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A draft that passed the filters: the pair, the quantity to execute (base units) and the market's price."""

    draft: Draft
    instrument: Instrument
    quantity: Decimal
    price: Decimal

    @property
    def buys(self) -> bool:
        """Whether it buys."""
        return self.draft.side is Side.BUY

    @property
    def pays(self) -> str:
        """The asset it gives."""
        return self.instrument.quote if self.buys else self.instrument.base

    @property
    def receives(self) -> str:
        """The asset it gets."""
        return self.instrument.base if self.buys else self.instrument.quote


def ticket(draft: Draft, instrument: Instrument, price: Decimal, costs: Costs) -> Ticket:
    """The draft with its quantity, if pair, quantity and the filters of the lot and the notional allow it."""
    if instrument.status != "TRADING":
        raise ApiError(-2010, "Market is closed.")
    if not instrument.market_orders:
        raise ApiError(-2010, "Market orders are not supported for this symbol.")
    quantity = draft.quantity
    if quantity is None:
        at = worse(price, draft.side, _cost_bps(costs, ONE), price_places(instrument, price))
        quantity = floor_to_step((draft.quote_quantity or ZERO) / at, instrument.step)
    elif _decimals(quantity) > instrument.base_precision:
        raise ApiError(-1111, "Parameter 'quantity' has too much precision.")
    check_filters(instrument, quantity, price)
    return Ticket(draft, instrument, quantity, price)


def check_filters(instrument: Instrument, quantity: Decimal, price: Decimal) -> None:
    """LOT_SIZE, MARKET_LOT_SIZE and NOTIONAL at the market's price; −1013 names the first that fails."""
    if quantity <= 0 or not _in_lot(instrument.lot, quantity):
        raise filter_failure("LOT_SIZE")
    if not _in_lot(instrument.market_lot, quantity):
        raise filter_failure("MARKET_LOT_SIZE")
    notional = quantity * price
    if notional < instrument.min_notional or 0 < instrument.max_notional < notional:
        raise filter_failure("NOTIONAL")


def _in_lot(rule: LotRule, quantity: Decimal) -> bool:
    if quantity < rule.min_qty or 0 < rule.max_qty < quantity:
        return False
    return not rule.step or quantity % rule.step == 0


def executed(order: Ticket, costs: Costs) -> Decimal:
    """The quantity that finds a counterparty: all of it, or what the liquidity of the pair allows on the step."""
    most = costs.liquidity.get(order.instrument.symbol, costs.liquidity.get("*"))
    if most is None or order.quantity * order.price <= most:
        return order.quantity
    return floor_to_step(most / order.price, order.instrument.step)


def parts(order: Ticket, quantity: Decimal, costs: Costs, rng: Random | None) -> list[tuple[Decimal, Decimal]]:
    """(price, quantity) of each fill of `quantity`: 1 to `fills_max` parts on the step, each a little worse; without
    `rng`, one.
    """
    step = order.instrument.step
    count = 1 if rng is None else rng.randint(1, costs.fills_max)
    places = price_places(order.instrument, order.price)
    found: list[tuple[Decimal, Decimal]] = []
    rest = quantity
    for number in range(1, count + 1):
        share = ONE if rng is None else Decimal(rng.randint(20, 80)) / 100
        size = rest if number == count else floor_to_step(rest * share, step)
        if size > 0:
            bps = _cost_bps(costs, Decimal(number) / count)
            found.append((worse(order.price, order.draft.side, bps, places), size))
            rest -= size
    return found


def _cost_bps(costs: Costs, slippage_share: Decimal) -> Decimal:
    return costs.spread_bps / 2 + costs.slippage_bps * slippage_share


def worse(price: Decimal, side: Side, bps: Decimal, places: int) -> Decimal:
    """`price` moved by `bps` against the taker, rounded to `places` decimals against the taker, never to 0."""
    if not bps:
        return price
    unit = ONE.scaleb(-places)
    if side is Side.BUY:
        return (price * (ONE + bps / BPS)).quantize(unit, rounding=ROUND_CEILING)
    return (price * (ONE - bps / BPS)).quantize(unit, rounding=ROUND_FLOOR) or unit


def price_places(instrument: Instrument, price: Decimal) -> int:
    """Decimals of a fill's price: as many as keep price × step within 8, and at least the market's own."""
    return min(PLACES, max(_decimals(price), PLACES - _decimals(instrument.step)))


def quote_amount(price: Decimal, quantity: Decimal) -> Decimal:
    """The value price × quantity in quote units, to 8 decimals."""
    return (price * quantity).quantize(_UNIT, rounding=ROUND_HALF_EVEN)


def commission(order: Ticket, part: tuple[Decimal, Decimal], costs: Costs, bnb: tuple[Decimal, Decimal]) -> Fill:
    """The fill of one part with its fee (trade id 0 until it is booked).

    `bnb` is the free BNB and its price in the pair's quote asset (0 = none known); no BNB is (0, 0).
    """
    price, size = part
    free, bnb_price = bnb
    value = quote_amount(price, size)
    received = size if order.buys else value
    if costs.bnb_discount:
        rate = costs.fee * (ONE - costs.bnb_discount_share)
        if order.receives == FUEL:
            return Fill(0, price, size, floor_to_places(received * rate, PLACES), FUEL)
        fee = floor_to_places(value * rate / bnb_price, PLACES) if bnb_price else ZERO
        if bnb_price and free >= fee:
            return Fill(0, price, size, fee, FUEL)
    return Fill(0, price, size, floor_to_places(received * costs.fee, PLACES), order.receives)


def bnb_price(instrument: Instrument, prices: Mapping[str, Decimal]) -> Decimal:
    """BNB's price in the quote asset of the pair; 0 where there is no such pair."""
    return ONE if instrument.quote == FUEL else prices.get(FUEL + instrument.quote, ZERO)


def _decimals(value: Decimal) -> int:
    return max(0, -int(value.normalize().as_tuple().exponent))
