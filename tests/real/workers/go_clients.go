// The worker for Go's drivers: lib/pq and pgx, as Debian packages them. One JSON object a line, in and out, as
// python_clients.py does. Go takes the home folder from the password file, so that names a link, which is turned for each case.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v4"
	_ "github.com/lib/pq"
)

const question = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"

type kase struct {
	Id   string            `json:"id"`
	Dsn  string            `json:"dsn"`
	Env  map[string]string `json:"env"`
	Home string            `json:"home"`
}

func byPq(ctx context.Context, dsn string) (ssl bool, err error) {
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		return false, err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, question).Scan(&ssl)
	return ssl, err
}

func byPgx(ctx context.Context, dsn string) (ssl bool, err error) {
	connection, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return false, err
	}
	defer connection.Close(ctx)
	err = connection.QueryRow(ctx, question).Scan(&ssl)
	return ssl, err
}

func connect(name, dsn string) (ssl bool, err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			err = fmt.Errorf("panic: %v", trouble)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if name == "pgx" {
		return byPgx(ctx, dsn)
	}
	return byPq(ctx, dsn)
}

func main() {
	name, version := os.Args[1], os.Args[2]
	base := os.Environ()
	out := json.NewEncoder(os.Stdout)
	out.Encode(map[string]any{"driver": name, "driver_version": version,
		"runtime": map[string]string{"go": strings.TrimPrefix(runtime.Version(), "go")}})
	me, _ := user.Current()
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var one kase
		if err := json.Unmarshal(in.Bytes(), &one); err != nil {
			panic(err)
		}
		os.Clearenv()
		for _, pair := range base {
			key, value, _ := strings.Cut(pair, "=")
			os.Setenv(key, value)
		}
		os.Setenv("HOME", one.Home)
		for key, value := range one.Env {
			os.Setenv(key, value)
		}
		os.Remove(me.HomeDir)
		os.Symlink(one.Home, me.HomeDir)
		answer := map[string]string{"id": one.Id, "outcome": "refused", "error": ""}
		if ssl, err := connect(name, one.Dsn); err != nil {
			answer["error"] = err.Error()
		} else if ssl {
			answer["outcome"] = "tls"
		} else {
			answer["outcome"] = "plaintext"
		}
		out.Encode(answer)
	}
}
