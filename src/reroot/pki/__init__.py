"""Certificates, roots and chains, and path building as each TLS stack does it."""
