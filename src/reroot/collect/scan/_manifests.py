"""Which drivers a project depends on, from the manifests that package managers read. They decide where settings do not say."""

from __future__ import annotations

import re

from ._finding import Harvest
from ._text import Text

_RULES: tuple[tuple[re.Pattern[str], tuple[tuple[str, str, str], ...]], ...] = tuple(
    (re.compile(name), drivers)
    for name, drivers in (
        (
            r"(^|/)package\.json$",
            (
                (r'"pg"\s*:\s*"([^"]*)"', "node-postgres", ""),
                (r'"pg-promise"\s*:\s*"([^"]*)"', "node-postgres", "pg-promise"),
                (r'"postgres"\s*:\s*"([^"]*)"', "postgres-js", ""),
                (r'"@?prisma(?:/client)?"\s*:\s*"([^"]*)"', "prisma", ""),
            ),
        ),
        (
            r"(^|/)(requirements[\w.-]*\.(txt|in)|pyproject\.toml|Pipfile|setup\.(py|cfg)|requirements/[\w.-]+\.txt|environment\.ya?ml)$",
            (
                (r"(?mi)^[\s\"']*psycopg2(?:-binary)?\b[\"']?\s*(?:\[[^\]]*\])?\s*([=<>~!^\"' ]*[\d.]*)", "psycopg2", ""),
                (r"(?mi)^[\s\"']*psycopg(?![2\w-])[\"']?\s*(?:\[[^\]]*\])?\s*([=<>~!^\"' ]*[\d.]*)", "psycopg", ""),
                (r"(?mi)^[\s\"']*asyncpg\b[\"']?\s*([=<>~!^\"' ]*[\d.]*)", "asyncpg", ""),
                (r"(?mi)^[\s\"']*pg8000\b[\"']?\s*([=<>~!^\"' ]*[\d.]*)", "pg8000", ""),
            ),
        ),
        (r"(^|/)(Gemfile|[\w.-]+\.gemspec)$", ((r"gem\s*\(?['\"]pg['\"](?:\s*,\s*['\"]([^'\"]*))?", "ruby-pg", ""),)),
        (
            r"(^|/)go\.mod$",
            (
                (r"github\.com/jackc/pgx(?:/v\d)?\s+v([\d.]+)", "pgx", ""),
                (r"github\.com/lib/pq\s+v([\d.]+)", "lib-pq", ""),
                (r"gorm\.io/driver/postgres\s+v([\d.]+)", "pgx", "gorm"),
            ),
        ),
        (
            r"(^|/)Cargo\.toml$",
            (
                (r"(?m)^\s*sqlx\s*=(.*)$", "sqlx", ""),
                (r"(?m)^\s*tokio-postgres\s*=(.*)$", "tokio-postgres", ""),
                (r"(?m)^\s*diesel\s*=(.*postgres.*)$", "libpq", "diesel"),
            ),
        ),
        (
            r"(^|/)(pom\.xml|build\.gradle(\.kts)?|build\.sbt|libs\.versions\.toml)$",
            (
                (r"r2dbc-postgresql", "r2dbc", ""),
                (
                    r"org\.postgresql(?:</groupId>\s*<artifactId>postgresql</artifactId>\s*<version>([\d.]+)|:postgresql(?::([\d.]+))?|\"\s*%\s*\"postgresql)?",
                    "pgjdbc",
                    "",
                ),
                (r"quarkus-reactive-pg-client|vertx-pg-client", "vertx", ""),
            ),
        ),
        (r"\.(csproj|fsproj|vbproj)$|(^|/)Directory\.Packages\.props$", ((r'"Npgsql[\w.]*"\s+Version="([\d.]*)', "npgsql", ""),)),
        (r"(^|/)composer\.json$", ((r'"ext-(?:pdo_)?pgsql"\s*:\s*"([^"]*)"|"laravel/framework"', "pdo", ""),)),
        (r"(^|/)mix\.exs$", ((r"\{:postgrex\s*,\s*\"([^\"]*)\"", "postgrex", "ecto"),)),
    )
)


def manifest(text: Text, path: str, harvest: Harvest) -> None:
    """Add the PostgreSQL drivers that a manifest names."""
    for name, drivers in _RULES:
        if name.search(path):
            for pattern, driver, wrapper in drivers:
                found = re.search(pattern, text.text[:400_000])
                if found:
                    version = next((g for g in found.groups() if g), "") if found.groups() else ""
                    exact = "" if re.search(r"[\^~<>*x|]|latest", version) else re.sub(r"[^\d.]", "", version)[:20]
                    harvest.drivers.append((driver, exact, wrapper))
            return
