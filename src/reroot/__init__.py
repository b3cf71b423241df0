"""From one root certificate to the next, on a fleet of PostgreSQL servers, without breaking a client."""

__version__ = "0.1.0.dev0"
