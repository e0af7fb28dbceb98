from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from app.flows.operator import Operator
from app.flows.storage.secrets import BATCH, Batch, ResealSecrets, SecretsStatus
from tests.flows.keys.memory import FakeAudit

CAROL = Operator("carol", "the old key was on a laptop")
NAMES = {"new": "LATCHKEY_SECRET_KEY", "old": "LATCHKEY_SECRET_KEY_FALLBACKS, number 1"}


@dataclass
class FakeRows:
    """Tables of rows, each named by its key; `lost` rows are under a lost key."""

    rows: dict[str, list[str]] = field(default_factory=dict)
    meanwhile: list[str] = field(default_factory=list)
    """Rows that a process with the old key writes after the first step."""
    fails_after: int | None = None

    def tables(self):
        return list(self.rows)

    def count(self):
        counts = {}
        for table, keys in self.rows.items():
            for key in keys:
                counts.setdefault(key, {}).setdefault(table, 0)
                counts[key][table] += 1
        return counts

    def reseal(self, table, after, limit):
        if self.fails_after is not None:
            self.fails_after -= 1
            if self.fails_after < 0:
                raise KeyboardInterrupt
        keys = self.rows[table]
        start = int(after[0]) + 1 if after else 0
        others = [i for i in range(start, len(keys)) if keys[i] != "new"][:limit]
        lost = [i for i in others if keys[i] == "lost"]
        for index in set(others) - set(lost):
            keys[index] = "new"
        keys += self.meanwhile
        self.meanwhile = []
        last = [str(others[-1])] if len(others) == limit else None
        return Batch(len(others) - len(lost), len(lost), last)


@pytest.fixture
def encrypted():
    return FakeRows()


@pytest.fixture
def audit():
    return FakeAudit()


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def reseal(encrypted, audit, clock, pauses):
    return ResealSecrets(
        encrypted=encrypted,
        status=SecretsStatus(encrypted=encrypted, settings=NAMES),
        audit=audit,
        clock=clock,
        pause=pauses.append,
    )


def test_status_names_every_configured_key_and_then_unknown_ones(encrypted, reseal):
    encrypted.rows = {"grants": ["old", "old", "lost"], "keys": ["old"]}

    new, old, lost = reseal.status()

    assert (new.setting, new.rows) == ("LATCHKEY_SECRET_KEY", 0)
    assert (old.rows, old.tables) == (3, {"grants": 2, "keys": 1})
    assert (lost.fingerprint, lost.setting, lost.rows) == ("lost", None, 1)


def test_run_reseals_every_table_in_batches_and_reports_each(
    encrypted, reseal, audit, pauses
):
    encrypted.rows = {"grants": ["old"] * (2 * BATCH + 1), "keys": ["old", "new"]}
    reported = []

    done = reseal.run(CAROL, reported.append)

    assert (done.resealed, done.unreadable, done.left) == (2 * BATCH + 2, 0, 0)
    assert sum(reported) == done.resealed
    assert len(pauses) >= 3, "others get the database between two batches"
    assert set(encrypted.count()) == {"new"}
    assert audit.events == [
        (
            "secrets_resealed",
            {
                "rows": done.resealed,
                "key": "new",
                "operator": "carol",
                "reason": "the old key was on a laptop",
            },
        )
    ]


def test_run_without_other_keys_changes_nothing(encrypted, reseal):
    encrypted.rows = {"grants": ["new"]}

    assert reseal.run(CAROL, lambda _: None).resealed == 0


def test_run_counts_unreadable_rows_once_and_as_left(encrypted, reseal):
    encrypted.rows = {"grants": ["lost", "old"]}

    done = reseal.run(CAROL, lambda _: None)

    assert (done.resealed, done.unreadable, done.left) == (1, 1, 1)


def test_run_takes_rows_that_were_written_under_the_old_key_meanwhile(
    encrypted, reseal
):
    encrypted.rows, encrypted.meanwhile = {"grants": ["old"]}, ["old"]

    done = reseal.run(CAROL, lambda _: None)

    assert (done.resealed, done.left) == (2, 0)


def test_run_that_is_interrupted_is_audited_and_goes_on_later(encrypted, reseal, audit):
    encrypted.rows = {"grants": ["old"] * (2 * BATCH)}
    encrypted.fails_after = 1

    with pytest.raises(KeyboardInterrupt):
        reseal.run(CAROL, lambda _: None)

    ((event, detail),) = audit.events
    assert (event, detail["rows"]) == ("secrets_resealed", BATCH)
    encrypted.fails_after = None
    assert reseal.run(CAROL, lambda _: None).resealed == BATCH
