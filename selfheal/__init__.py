"""selfheal: a self-healing supervisor for a fleet of agents."""

__version__ = "0.1.0"
