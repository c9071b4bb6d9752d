"""Configuration of the workload."""

from django.apps import AppConfig


class WorkloadConfig(AppConfig):
    """The leads that are published, and the handlers that welcome them."""

    name = "benchmarks.workload"
