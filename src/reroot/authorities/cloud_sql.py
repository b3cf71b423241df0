"""Google Cloud SQL: every instance has a CA of its own unless a shared or customer-managed one was chosen, so none is shipped."""

from __future__ import annotations

from ._family import Family

FAMILY = Family(
    word="cloud-sql",
    title="Google Cloud SQL",
    source="Google Cloud: Cloud SQL for PostgreSQL, server certificates (per-instance CA)",
    hint="`gcloud sql ssl server-ca-certs list --instance=NAME --format='value(cert)'` prints the roots of one instance",
)
