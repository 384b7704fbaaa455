"""What an operator watches. Labels name routes, actions, decisions and reasons: never an account or a person."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from holdback.service import Service

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class _Batches:
    """What the service counts by itself, read when somebody asks."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client.registry.Collector."""
        work = self._service.work
        yield GaugeMetricFamily("holdback_waiting", "Questions that wait for a batch.", value=work.waiting)
        yield CounterMetricFamily(
            "holdback_batches", "Transactions that questions were decided in.", value=work.batches
        )
        yield CounterMetricFamily("holdback_batched", "Questions in those transactions.", value=work.jobs)


class Metrics:
    """One application's metrics, in a registry of their own."""

    def __init__(self, service: Service) -> None:
        """Count from nothing."""
        self._registry = CollectorRegistry()
        self._registry.register(_Batches(service))
        decisions = Counter(
            "holdback_decisions", "Answers given.", ("action", "decision", "reason"), registry=self._registry
        )
        seconds = Histogram(
            "holdback_request_seconds",
            "Time from a request's head to its answer.",
            ("route", "status"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        # Finding a counter by its labels costs more than counting.
        self._decisions, self._seconds = cache(decisions.labels), cache(seconds.labels)
        self.under_way = Gauge("holdback_under_way", "Requests being answered.", registry=self._registry)
        self._notices = Gauge("holdback_notices_waiting", "Notices not sent yet.", registry=self._registry)
        self._notices_s = Gauge(
            "holdback_notices_overdue_seconds", "How long the oldest due notice waits.", registry=self._registry
        )

    def decided(self, action: str, decision: str, reason: str) -> None:
        """Count an answer by its first reason."""
        self._decisions(action, decision, reason).inc()

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._seconds(route, status).observe(seconds)

    def text(self, notices: int, overdue_s: float) -> bytes:
        """Everything in Prometheus' text format, with how the outbox stands."""
        self._notices.set(notices)
        self._notices_s.set(overdue_s)
        return generate_latest(self._registry)
