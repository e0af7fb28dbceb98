"""Rules of forward auth: `?group=` and `?user=`."""

from __future__ import annotations

import pytest

from app.flows.errors import RuleInvalid
from app.flows.people.rule import LONGEST, MOST, Rule


@pytest.mark.parametrize(
    "names", ["a" * (LONGEST + 1), ",".join("a" * (MOST + 1)), "a,,b", ""]
)
def test_rule_of_names_beyond_a_bound_raises_rule_invalid(names):
    with pytest.raises(RuleInvalid):
        Rule.parse(group=[], user=[names])


def test_rule_at_the_bounds_is_read():
    most = ["a" * LONGEST, *(f"u{number}" for number in range(MOST - 1))]

    assert Rule.parse(group=[], user=[",".join(most)]).users == set(most)
