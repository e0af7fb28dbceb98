"""What a scrape shows: samples by name and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.samples import Sample


class Scrape:
    """The samples of one answer in Prometheus's text format."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples: list[Sample] = [
            sample
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    @classmethod
    def of(cls, registry: CollectorRegistry) -> Scrape:
        """Scrape a registry of this process."""
        return cls(generate_latest(registry).decode())

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the samples that have these labels at least."""
        wanted = labels.items()
        return sum(
            sample.value
            for sample in self.samples
            if sample.name == name and wanted <= sample.labels.items()
        )

    def names(self) -> set[str]:
        """Return the names of the metrics that have a sample."""
        ends = ("_bucket", "_count", "_sum", "_created")
        found = {sample.name for sample in self.samples}
        for end in ends:
            found = {name.removesuffix(end) for name in found}
        return found

    def label_values(self) -> set[str]:
        """Return the values of all labels."""
        return {
            value
            for sample in self.samples
            for name, value in sample.labels.items()
            if name != "le"
        }
