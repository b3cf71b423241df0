# ruff: noqa: S608 (nobody runs these statements)
"""
Seeded generator of realistic PostgreSQL 15 server logs, with the truth about them beside. Used by `logs.py`.

  _genlog.py --format rds|stderr|csv|json --mix sparse|dense --mb 100 --seed 1 -o FILE

rds    log_line_prefix '%t:%r:%u@%d:[%p]:'     (the RDS/Aurora default)
stderr log_line_prefix '%m [%p] %q%u@%d '      (Debian default; host only on 'connection received')
csv    csvlog (26 columns, PG14+)              json   jsonlog (PG15+)

'connection lines' = received + authenticated + authorized + disconnection + failed TLS:
2% of lines in 'sparse', 60% in 'dense'.  Writes FILE.truth.json: what a right reader must find
(sessions per (user, db, app, host, protocol|none), TLS failures per (host, reason)), and decoys counts.
"""

import argparse
import collections
import contextlib
import datetime
import heapq
import json
import random
from pathlib import Path

ap = argparse.ArgumentParser()
ap.add_argument("--format", choices=["rds", "stderr", "csv", "json"], default="rds")
ap.add_argument("--mix", choices=["sparse", "dense"], default="sparse")
ap.add_argument("--mb", type=int, default=100)
ap.add_argument("--seed", type=int, default=1)
ap.add_argument("--clients", type=int, default=400)
ap.add_argument("-o", required=True)
a = ap.parse_args()
R = random.Random(a.seed)
rnd, choice, randint = R.random, R.choice, R.randint

DBS = ["orders", "billing", "inventory", "users", "analytics", "search", "ledger", "my db"]
USERS = ["app", "orders_rw", "billing_ro", "etl", "metabase", "airflow", "rdsadmin", "svc-payments"]
APPS = [
    "web",
    "worker",
    "psql",
    "PostgreSQL JDBC Driver",
    "pgbouncer",
    "sidekiq 6.5 [4 of 10 busy]",
    "airflow",
    "DBeaver 23.1.0 - Main",
    "node-pg",
    "",
    "evil SSL enabled (protocol=TLSv1.3, cipher=FAKE, bits=256)",
]
TLS = [
    "SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)",
    "SSL enabled (protocol=TLSv1.2, cipher=ECDHE-RSA-AES256-GCM-SHA384, bits=256)",
]
FAIL = [
    "tlsv1 alert unknown ca",
    "sslv3 alert certificate unknown",
    "EOF detected",
    "wrong version number",
    "Connection reset by peer",
]
clients = []
for i in range(a.clients):
    clients.append(
        (
            f"10.{randint(0, 3)}.{randint(0, 40)}.{randint(1, 254)}",
            choice(USERS),
            choice(DBS),
            APPS[-1] if i == 7 else choice(APPS[:-1]),
            "" if rnd() < 0.2 else TLS[0 if rnd() < 0.8 else 1],
        )
    )
failers = [(f"10.9.0.{i}", choice(FAIL)) for i in range(1, 13)]
W = [
    "id",
    "user_id",
    "order_id",
    "status",
    "created_at",
    "updated_at",
    "amount",
    "currency",
    "email",
    "name",
    "sku",
    "qty",
    "price",
    "total",
    "deleted_at",
    "tenant_id",
    "payload",
    "version",
    "region",
    "address",
    "city",
]


def sql():
    r = rnd()
    t = choice(["orders", "order_items", "users", "invoices", "events", "ledger_entries", "stock"])
    if r < 0.45:
        return f"SELECT {', '.join(R.sample(W, randint(2, 9)))} FROM {t} WHERE {choice(W)} = $1 AND {choice(W)} = $2 ORDER BY {choice(W)} LIMIT {randint(1, 100)}"
    if r < 0.65:
        return f"UPDATE {t} SET {choice(W)} = '{randint(0, 10**9)}', updated_at = now() WHERE id = {randint(1, 10**9)}"
    if r < 0.85:
        c = R.sample(W, 7)
        return f"INSERT INTO {t} ({', '.join(c)}) VALUES ({', '.join(repr(str(randint(1, 10**8))) for _ in c)}) RETURNING id"
    if r < 0.9995:
        return (
            "WITH recent AS (\n  SELECT "
            + ",\n    ".join(R.sample(W, 8))
            + f"\n  FROM {t}\n  WHERE created_at > now() - interval '{randint(1, 30)} days'\n)\n"
            f"SELECT r.{choice(W)}, count(*)\nFROM recent r\nJOIN users u ON u.id = r.user_id\nGROUP BY 1\nORDER BY 2 DESC"
        )
    # decoys: SQL text that looks like a log message
    return choice(
        [
            "SELECT 'connection authorized: user=fake database=fake SSL enabled (protocol=TLSv1.3, cipher=X, bits=256)'",
            "SELECT 1\n-- LOG:  connection authorized: user=fake database=fake\n",
            "INSERT INTO audit VALUES ('could not accept SSL connection: tlsv1 alert unknown ca')",
        ]
    )


SQLS = [sql() for _ in range(20000)]
decoys = 0

t0 = datetime.datetime(2026, 1, 2, 3, 4, 5).timestamp()
now_ms = 0
_sec = [-1, ""]


def stamp(ms):
    s, m = divmod(ms, 1000)
    if s != _sec[0]:
        _sec[0] = s
        _sec[1] = datetime.datetime.fromtimestamp(t0 + s).strftime("%Y-%m-%d %H:%M:%S")
    return _sec[1], m


def q(s):
    return '"' + s.replace('"', '""') + '"'


fmt = a.format


class S:  # one session
    __slots__ = ["app", "db", "host", "known", "ln", "pid", "port", "sid", "start", "tls", "user"]

    def __init__(s, c):
        s.host, s.user, s.db, s.app, s.tls = c
        s.port = randint(32768, 60999)
        s.pid = randint(300, 4_000_000)
        s.start = stamp(now_ms)[0]
        s.sid = f"{int(t0) + now_ms // 1000:x}.{s.pid:x}"
        s.ln = 0
        s.known = False


class Bg:
    host = ""
    user = db = app = ""
    port = 0
    known = True
    start = "2026-01-01 00:00:00"

    def __init__(s, name, pid):
        s.name = name
        s.pid = pid
        s.sid = f"{int(t0):x}.{pid:x}"
        s.ln = 0


ckpt, autov = Bg("checkpointer", 412), Bg("autovacuum worker", 9911)


def line(s, sev, msg, ps="idle", state="00000", btype="client backend"):
    """One log record."""
    t, ms = stamp(now_ms)
    s.ln += 1
    if fmt == "rds":
        r = f"{s.host}({s.port})" if s.host else ""
        u, d = (s.user, s.db) if s.known else ("[unknown]", "[unknown]")
        return f"{t} UTC:{r}:{u}@{d}:[{s.pid}]:{sev}:  " + msg.replace("\n", "\n\t") + "\n"
    if fmt == "stderr":
        u, d = (s.user, s.db) if s.known else ("[unknown]", "[unknown]")
        return f"{t}.{ms:03d} UTC [{s.pid}] " + (f"{u}@{d} " if s.host else "") + f"{sev}:  " + msg.replace("\n", "\n\t") + "\n"
    isb = not s.host
    app = s.app if s.known and ps != "authentication" else ""
    if fmt == "csv":
        u = f"{q(s.user)},{q(s.db)}" if s.known and not isb else ","
        c = f'"{s.host}:{s.port}"' if not isb else ""
        return (
            f"{t}.{ms:03d} UTC,{u},{s.pid},{c},{s.sid},{s.ln},{'' if isb else q(ps)},{s.start} UTC,{'' if isb else '3/' + str(s.ln)},0,{sev},{state},{q(msg)},,,,,,,,,"
            f'{q(app)},"{getattr(s, "name", btype)}",,0\n'
        )
    d = {"timestamp": f"{t}.{ms:03d} UTC"}
    if s.known and not isb:
        d["user"] = s.user
        d["dbname"] = s.db
    d["pid"] = s.pid
    if not isb:
        d["remote_host"] = s.host
        d["remote_port"] = s.port
    d |= {"session_id": s.sid, "line_num": s.ln}
    if not isb:
        d["ps"] = ps
    d |= {"session_start": s.start + " UTC", "txid": 0, "error_severity": sev}
    if state != "00000":
        d["state_code"] = state
    d["message"] = msg
    if app:
        d["application_name"] = app
    d |= {"backend_type": getattr(s, "name", btype), "query_id": 0}
    return json.dumps(d, separators=(",", ":"), ensure_ascii=False) + "\n"


target = {"sparse": 0.02, "dense": 0.60}[a.mix]
truth = collections.Counter()
fails = collections.Counter()
pool = [S(choice(clients)) for _ in range(60)]
for s in pool:
    s.known = True
out = open(a.o, "w", encoding="utf8", newline="", buffering=1 << 22)  # noqa: SIM115
size = n = nconn = 0
limit = a.mb * 1_000_000
heap = []
seq = 0


def later(dn, s, step):
    global seq
    seq += 1
    heapq.heappush(heap, (n + dn, seq, s, step))


w = out.write
while size < limit:
    now_ms += randint(0, 3)
    if heap and heap[0][0] <= n:
        _, _, s, step = heapq.heappop(heap)
        if step == "auth":
            s.known = True
            if s.user == "app":
                x = line(
                    s,
                    "LOG",
                    f'connection authenticated: identity="{s.user}" method=scram-sha-256 (/rdsdbdata/config/pg_hba.conf:12)',
                    "authentication",
                )
                size += len(x)
                w(x)
                n += 1
                nconn += 1
            msg = (
                f"connection authorized: user={s.user} database={s.db}"
                + (f" application_name={s.app}" if s.app else "")
                + (f" {s.tls}" if s.tls else "")
            )
            x = line(s, "LOG", msg, "authentication")
            truth[
                "|".join((s.user, s.db, s.app, s.host, s.tls[13:].split(",")[0].replace("protocol=", "") if s.tls else "none"))
            ] += 1
            pool.append(s)
            later(randint(20, 4000), s, "bye")
        elif step == "fail":
            x = line(s, "LOG", "could not accept SSL connection: " + s.app, "", "08P01", "not initialized")
            fails[s.host + "|" + s.app] += 1
        else:
            with contextlib.suppress(ValueError):
                pool.remove(s)
            x = line(
                s,
                "LOG",
                f"disconnection: session time: 0:{randint(0, 59):02d}:{randint(0, 59):02d}.{randint(0, 999):03d} user={s.user} database={s.db} host={s.host} port={s.port}",
            )
        nconn += 1
    elif nconn < target * n:
        if rnd() < 0.01:
            h, why = choice(failers)
            s = S((h, "", "", why, ""))
            later(randint(1, 3), s, "fail")
        else:
            s = S(choice(clients))
            later(randint(1, 5), s, "auth")
        x = line(s, "LOG", f"connection received: host={s.host} port={s.port}", "", btype="not initialized")
        nconn += 1
    else:
        r = rnd()
        s = choice(pool)
        k = ""
        if r < 0.60:
            k = choice(SQLS)
            x = line(s, "LOG", f"duration: {rnd() * 50:.3f} ms  statement: " + k, "SELECT")
        elif r < 0.86:
            k = choice(SQLS)
            x = line(s, "LOG", f"duration: {rnd() * 5:.3f} ms  execute <unnamed>: " + k, "BIND")
            if fmt in ("rds", "stderr"):
                x += line(s, "DETAIL", f"parameters: $1 = '{randint(1, 10**9)}', $2 = '{randint(1, 10**6)}'")
                n += 1
        elif r < 0.93:
            x = line(s, "LOG", f"duration: {rnd():.3f} ms", "COMMIT")
        elif r < 0.96:
            x = line(s, "ERROR", 'duplicate key value violates unique constraint "orders_pkey"', "INSERT", "23505")
            if fmt in ("rds", "stderr"):
                x += line(s, "DETAIL", f"Key (id)=({randint(1, 10**9)}) already exists.") + line(
                    s, "STATEMENT", choice(SQLS[:100])
                )
                n += 2
        elif r < 0.98:
            x = line(
                ckpt,
                "LOG",
                f"checkpoint complete: wrote {randint(1, 9999)} buffers (0.{randint(1, 9)}%); 0 WAL file(s) added, 0 removed, 2 recycled; write={randint(1, 269)}.021 s, sync=0.009 s, total=269.9 s; sync files={randint(1, 99)}, longest=0.003 s, average=0.001 s; distance=52101 kB, estimate=54921 kB",
            )
        else:
            x = line(
                autov,
                "LOG",
                f'automatic vacuum of table "orders.public.events_{randint(1, 99)}": index scans: 1\npages: 0 removed, {randint(1, 9999)} remain, 0 skipped due to pins, 0 skipped frozen\ntuples: {randint(1, 9999)} removed, 91922 remain, 0 are dead but not yet removable, oldest xmin: 1234567\nbuffer usage: 4021 hits, 3 misses, 55 dirtied',
            )
        if k and ("connection authorized" in k or "could not accept" in k):
            decoys += 1
    w(x)
    size += len(x)
    n += 1
out.close()
told = json.dumps(
    {
        "bytes": size,
        "records": n,
        "connection_records": nconn,
        "decoys": decoys,
        "authorized": sum(truth.values()),
        "no_tls": sum(v for k, v in truth.items() if k.endswith("|none")),
        "tls_failures": dict(fails),
        "sessions": dict(truth),
    },
    indent=0,
)
Path(a.o + ".truth.json").write_text(told)
print(a.o, size, "bytes", n, "records", f"{nconn / n:.1%} connection", sum(truth.values()), "authorized", decoys, "decoys")
