"""What an operator watches. Labels name routes, actions, decisions and reasons: never an account or a person."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from holdback.core.breaker import SCOPES
from holdback.core.policy import MICRO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from holdback.service import Service

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class _Times:
    """How long requests of one kind took: their number in each class, and the sum."""

    def __init__(self) -> None:
        self.numbers = [0] * (len(_SECONDS) + 1)
        self.total_s = 0.0

    def buckets(self) -> list[tuple[str, float]]:
        """How many took no longer than each limit."""
        limits = [*(str(limit) for limit in _SECONDS), "+Inf"]
        return list(zip(limits, map(float, accumulate(self.numbers)), strict=True))


class Metrics:
    """One application's metrics, in a registry of their own.

    What each request counts is counted here, in plain numbers that are read when somebody asks: the loop is one thread,
    and the library's counters take a lock each.
    """

    def __init__(self, service: Service) -> None:
        """Count from nothing."""
        self._service = service
        self._decisions: Counter[tuple[str, str, str]] = Counter()
        self._times: defaultdict[tuple[str, str], _Times] = defaultdict(_Times)
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self.under_way = Gauge("holdback_under_way", "Requests being answered.", registry=self._registry)
        self._notices = Gauge("holdback_notices_waiting", "Notices not sent yet.", registry=self._registry)
        self._notices_s = Gauge(
            "holdback_notices_overdue_seconds", "How long the oldest due notice waits.", registry=self._registry
        )
        self._webhooks = Gauge("holdback_webhooks_waiting", "Messages due to the platform.", registry=self._registry)
        self._webhooks_s = Gauge(
            "holdback_webhooks_overdue_seconds", "How long the oldest due message waits.", registry=self._registry
        )
        text = "How long ago a server last added up what leaves; decisions go by it."
        self._look_s = Gauge("holdback_breaker_look_age_seconds", text, registry=self._registry)

    def decided(self, action: str, decision: str, reason: str) -> None:
        """Count an answer by its first reason."""
        self._decisions[action, decision, reason] += 1

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        times = self._times[route, str(status)]
        times.numbers[bisect_left(_SECONDS, seconds)] += 1
        times.total_s += seconds

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client.registry.Collector."""
        work = self._service.work
        yield GaugeMetricFamily("holdback_waiting", "Questions that wait for a batch.", value=work.waiting)
        yield CounterMetricFamily(
            "holdback_batches", "Transactions that questions were decided in.", value=work.batches
        )
        yield CounterMetricFamily("holdback_batched", "Questions in those transactions.", value=work.jobs)
        yield from self._breaker()
        decisions = CounterMetricFamily("holdback_decisions", "Answers given.", labels=("action", "decision", "reason"))
        for labels, number in self._decisions.items():
            decisions.add_metric(labels, number)
        yield decisions
        seconds = HistogramMetricFamily(
            "holdback_request_seconds", "Time from a request's head to its answer.", labels=("route", "status")
        )
        for asked, times in self._times.items():
            seconds.add_metric(asked, times.buckets(), times.total_s)
        yield seconds

    def _breaker(self) -> Iterator[Metric]:
        """The circuit breaker as this process saw it last; nothing before its first look, which says so as well."""
        seen = self._service.outflow
        if seen is None:
            return
        tripped = float(bool(seen.tripped_at))
        yield GaugeMetricFamily("holdback_breaker_tripped", "Whether the circuit breaker holds exits.", value=tripped)
        text = "When this process last looked at what leaves, in seconds since the epoch."
        yield GaugeMetricFamily("holdback_breaker_looked_at_seconds", text, value=seen.looked_at / 1000)
        left = GaugeMetricFamily("holdback_outflow_usd", "What left within an hour.", labels=("scope",))
        most = GaugeMetricFamily("holdback_outflow_limit_usd", "What may leave within an hour.", labels=("scope",))
        for place, scope in enumerate(SCOPES):
            left.add_metric([scope], seen.flow[place] / MICRO)
            most.add_metric([scope], seen.most[place] / MICRO)
        yield left
        yield most

    def text(self, notices: tuple[int, float], webhooks: tuple[int, float], look_s: float) -> bytes:
        """Everything in Prometheus' text format, with how many wait and since how many seconds the oldest is due.

        `look_s` is how long ago anybody added up what leaves.
        """
        self._look_s.set(look_s)
        self._notices.set(notices[0])
        self._notices_s.set(notices[1])
        self._webhooks.set(webhooks[0])
        self._webhooks_s.set(webhooks[1])
        return generate_latest(self._registry)
