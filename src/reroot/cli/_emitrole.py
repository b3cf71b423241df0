"""The database role for ``reroot observe``, as SQL: what its queries need and nothing more."""

from __future__ import annotations

EVERYWHERE = """\
-- run it in the database that `reroot observe` connects to; every right is one that a query of it needs
CREATE ROLE {role} LOGIN CONNECTION LIMIT 3;
-- who is connected, and how
GRANT pg_read_all_stats TO {role};
-- `primary_conninfo` of a standby that is not connected to its primary
GRANT pg_read_all_settings TO {role};
"""

RDS = """\
-- where the master user may not grant these two: GRANT pg_monitor TO {role}, which holds both
-- on RDS `rds.force_ssl` says whether TLS is insisted on; subscriptions are not shown there, and the report says so
"""

SELF_MANAGED = """\
-- which logins are taken without TLS
GRANT SELECT ON pg_catalog.pg_hba_file_rules TO {role};
GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO {role};
-- where subscriptions connect to: of their connection strings what says where and how, never a password
CREATE SCHEMA reroot;
CREATE FUNCTION reroot.subscriptions() RETURNS TABLE (name text, settings text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $sql$
  SELECT s.subname::text,
         CASE WHEN s.subconninfo ~ '^postgres(ql)?://' THEN split_part(u.uri, '?', 1) || coalesce('?' || (
             SELECT string_agg(w, '&') FROM unnest(string_to_array(substr(u.uri, strpos(u.uri, '?') + 1), '&')) w
              WHERE strpos(u.uri, '?') > 0 AND split_part(w, '=', 1) = ANY (k.shown)), '')
         ELSE (
             SELECT string_agg(m[1] || '=' || m[2], ' ')
               FROM regexp_matches(s.subconninfo,
                      $re$(\\w+)\\s*=\\s*('(?:[^'\\\\]|\\\\.)*'|(?:(?:[^\\s'\\\\]|\\\\.)(?:[^\\s\\\\]|\\\\.)*)?)$re$, 'g') m
              WHERE m[1] = ANY (k.shown)) END
    FROM pg_subscription s,
         LATERAL (SELECT regexp_replace(s.subconninfo, '^(postgres(?:ql)?://[^:@/]*):[^@/]*@', '\\1@')) u (uri),
         (VALUES (ARRAY[{shown}])) k (shown)
$sql$;
REVOKE ALL ON FUNCTION reroot.subscriptions() FROM PUBLIC;
GRANT USAGE ON SCHEMA reroot TO {role};
GRANT EXECUTE ON FUNCTION reroot.subscriptions() TO {role};
"""

LAST = {
    "rds": "-- how it logs in, without a password: GRANT rds_iam TO {role};\n-- undo: DROP ROLE {role};",
    "self-managed": (
        "-- give it a password with \\password {role}\n"
        "-- foreign servers are looked for in every database that {role} may connect to, as everybody may at first\n"
        "-- undo: DROP SCHEMA reroot CASCADE; DROP OWNED BY {role}; DROP ROLE {role};"
    ),
}


def role(name: str, target: str) -> str:
    """The SQL for a role of this *name* on ``rds`` or a ``self-managed`` server."""
    from ..collect._outgoing import SHOWN

    quoted = '"' + name.replace('"', '""') + '"'
    shown = ", ".join(f"'{word}'" for word in sorted(SHOWN))
    text = EVERYWHERE + (RDS if target == "rds" else SELF_MANAGED) + LAST[target]
    return text.replace("{shown}", shown).replace("{role}", quoted)
