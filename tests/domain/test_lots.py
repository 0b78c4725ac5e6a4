"""Lots: the order in which units leave, and that neither a unit nor a cent of cost is lost on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.lots import Basis, Lot, Method, Pile, shared

D = Decimal


def lot(number: int, quantity: str, cost: str | None) -> Lot:
    basis = Basis.UNKNOWN if cost is None else Basis.PAID
    return Lot("ETH", D(quantity), None if cost is None else D(cost), number, f"e{number}", basis)


def pile(method: Method, *lots: Lot) -> Pile:
    made = Pile(method)
    for one in lots:
        made.add(one)
    return made


FOUR = (lot(1, "2", "200"), lot(2, "2", "500"), lot(3, "2", "300"), lot(4, "2", None))


class TestOrder:
    @pytest.mark.parametrize(
        ("method", "taken"),
        [
            (Method.FIFO, [("e1", "2", "200"), ("e2", "1", "250")]),
            (Method.LIFO, [("e4", "2", None), ("e3", "1", "150")]),
            (Method.HIFO, [("e2", "2", "500"), ("e3", "1", "150")]),
        ],
    )
    def test_three_units_leave_by_the_method(self, method: Method, taken: list[tuple[str, str, str | None]]) -> None:
        parts = pile(method, *FOUR).take(D(3))
        assert [(p.origin, p.quantity, p.cost) for p in parts] == [
            (origin, D(quantity), None if cost is None else D(cost)) for origin, quantity, cost in taken
        ]

    def test_average_takes_the_unknown_first_and_then_the_mean_of_what_is_known(self) -> None:
        held = pile(Method.AVERAGE, *FOUR)
        parts = held.take(D(4))
        assert [(p.origin, p.quantity, p.cost) for p in parts] == [
            ("e4", D(2), None),
            ("e1", D(2), D("333.333333333333")),
        ]
        held.add(lot(5, "1", "1000"))
        (next_one,) = held.take(D(1))
        assert (next_one.origin, next_one.cost) == ("e2", D("333.333333333333"))  # (666.67 + 1000) / 5

    def test_with_hifo_units_of_unknown_cost_leave_last(self) -> None:
        assert [p.origin for p in pile(Method.HIFO, *FOUR).take(D(8))] == ["e2", "e3", "e1", "e4"]

    def test_more_than_there_is_gives_all_there_is(self) -> None:
        assert sum(p.quantity for p in pile(Method.FIFO, *FOUR).take(D(9))) == 8

    def test_of_equal_costs_the_older_leaves_first(self) -> None:
        equal = pile(Method.HIFO, lot(2, "1", "100"), lot(3, "1", "100"))
        assert [p.origin for p in equal.take(D(2))] == ["e2", "e3"]

    @pytest.mark.parametrize("method", Method)
    def test_a_lot_that_leaves_as_a_whole_takes_its_cost_to_the_last_digit(self, method: Method) -> None:
        """Costs are longer than they are shared out: a fee in BNB is a product of two amounts with 8 decimals each."""
        (part,) = pile(method, lot(1, "3", "100.1234567890123456")).take(D(3))
        assert part.cost == D("100.1234567890123456")


class TestAdopted:
    @pytest.mark.parametrize("method", Method)
    def test_the_oldest_units_of_unknown_cost_get_the_price_and_what_is_known_stays(self, method: Method) -> None:
        held = pile(method, lot(1, "3", None), lot(2, "1", "100"), lot(3, "3", None))
        held.value_unknown(D(4), D(10))
        assert [(x.origin, x.quantity, x.basis) for x in held.lots()] == [
            ("e1", D(3), Basis.ADOPTED),
            ("e2", D(1), Basis.PAID),
            ("e3", D(1), Basis.ADOPTED),
            ("e3", D(2), Basis.UNKNOWN),
        ]
        assert sum(x.cost for x in held.lots() if x.cost is not None) == 140


def test_shares_add_up_to_the_total_and_the_last_takes_what_is_left() -> None:
    shares = shared(D(100), [D(1), D(1), D(1)])
    assert shares == [D("33.333333333333"), D("33.333333333334"), D("33.333333333333")]
    assert shared(None, [D(1), D(2)]) == [None, None]


@dataclass
class Unit:
    """One indivisible unit, for the slow way."""

    origin: int
    cost: Fraction | None


def slow_order(method: Method, units: list[Unit]) -> list[Unit]:
    """The units in the order they leave, by definition."""
    if method is Method.LIFO:
        return sorted(units, key=lambda u: -u.origin)
    if method is Method.HIFO:
        return sorted(units, key=lambda u: (u.cost is None, -(u.cost or 0), u.origin))
    if method is Method.AVERAGE:
        return sorted(units, key=lambda u: (u.cost is not None, u.origin))
    return sorted(units, key=lambda u: u.origin)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 6), st.one_of(st.none(), st.integers(0, 40))),
        st.tuples(st.just("take"), st.integers(1, 9), st.none()),
    ),
    max_size=25,
)


@given(st.sampled_from(Method), STEPS)
def test_any_sequence_leaves_as_units_one_by_one_would(
    method: Method, steps: list[tuple[str, int, int | None]]
) -> None:
    """Unit costs are whole, so that the slow way has no rounding; the average is compared by its sum."""
    held, units = Pile(method), list[Unit]()
    for number, (what, size, unit_cost) in enumerate(steps):
        if what == "add":
            cost = None if unit_cost is None else D(unit_cost * size)
            held.add(Lot("ETH", D(size), cost, number, f"e{number}", Basis.PAID))
            units += [Unit(number, None if unit_cost is None else Fraction(unit_cost)) for _ in range(size)]
            continue
        parts = held.take(D(size))
        leaving, units = slow_order(method, units)[:size], slow_order(method, units)[size:]
        assert [p.origin for p in parts for _ in range(int(p.quantity))] == [f"e{u.origin}" for u in leaving]
        if method is not Method.AVERAGE:
            assert sum((p.cost for p in parts if p.cost is not None), D(0)) == D(
                int(sum((u.cost for u in leaving if u.cost is not None), Fraction(0)))
            )


PRECISE = st.integers(1, 10**12).map(lambda n: D(n) / 10**8)


@given(
    st.sampled_from(Method),
    st.lists(st.tuples(PRECISE, st.one_of(st.none(), PRECISE)), min_size=1, max_size=8),
    st.lists(PRECISE, max_size=12),
    st.integers(0, 8),
)
def test_no_unit_and_no_trillionth_of_cost_is_lost(
    method: Method, came: list[tuple[Decimal, Decimal | None]], left: list[Decimal], adopted: int
) -> None:
    held = Pile(method)
    for number, (quantity, cost) in enumerate(came):
        held.add(replace(lot(number, "1", None), quantity=quantity, cost=cost))
    unknown = sum((lot.quantity for lot in held.lots() if lot.cost is None), D(0))
    valued = min(unknown, D(adopted))
    held.value_unknown(D(adopted), D("7.25"))
    cost_in = sum((cost for _, cost in came if cost is not None), D(0)) + valued * D("7.25")
    parts = [part for size in left for part in held.take(size)]
    here = list(held.lots())
    assert sum((x.quantity for x in [*parts, *here]), D(0)) == sum((q for q, _ in came), D(0))
    assert sum((x.cost for x in [*parts, *here] if x.cost is not None), D(0)) == cost_in
    assert all(x.quantity > 0 for x in [*parts, *here])


@given(st.lists(st.tuples(PRECISE, PRECISE), min_size=2, max_size=8))
def test_the_average_of_a_part_is_the_average_of_all(came: list[tuple[Decimal, Decimal]]) -> None:
    held = pile(Method.AVERAGE, *(replace(lot(n, "1", "1"), quantity=q, cost=c) for n, (q, c) in enumerate(came)))
    quantity, cost = sum((q for q, _ in came), D(0)), sum((c for _, c in came), D(0))
    parts = held.take(quantity / 2)
    paid = sum((p.cost for p in parts if p.cost is not None), D(0))
    assert abs(paid - cost / 2) <= D("1e-11") * len(parts)
