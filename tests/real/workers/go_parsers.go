// The real parsers of pgx and lib/pq. One JSON text a line in; out: {"ok": …} or {"error": …}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"reflect"

	"github.com/jackc/pgconn"
	"github.com/lib/pq"
)

func byPgx(dsn string) (map[string]any, error) {
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	tries := []string{}
	all := append([]*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port, TLSConfig: config.TLSConfig}}, config.Fallbacks...)
	for _, one := range all {
		kind := "plain"
		if one.TLSConfig != nil {
			kind = "unverified"
			if !one.TLSConfig.InsecureSkipVerify {
				kind = "full " + one.TLSConfig.ServerName
			} else if one.TLSConfig.VerifyPeerCertificate != nil {
				kind = "chain"
			}
		}
		tries = append(tries, fmt.Sprintf("%s %d %s", one.Host, one.Port, kind))
	}
	return map[string]any{"tries": tries, "database": config.Database, "user": config.User, "password": config.Password,
		"sent": config.RuntimeParams}, nil
}

func byPq(dsn string) (map[string]any, error) {
	connector, err := pq.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	found := map[string]any{}
	values := reflect.ValueOf(connector).Elem().FieldByName("opts").MapRange()
	for values.Next() {
		found[values.Key().String()] = values.Value().String()
	}
	return found, nil
}

func guarded(parser func(string) (map[string]any, error), dsn string) (found map[string]any, err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			err = fmt.Errorf("panic: %v", trouble)
		}
	}()
	return parser(dsn)
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<22)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var dsn string
		if err := json.Unmarshal(in.Bytes(), &dsn); err != nil {
			panic(err)
		}
		parser := byPgx
		if os.Args[1] == "lib-pq" {
			parser = byPq
		}
		if found, err := guarded(parser, dsn); err != nil {
			out.Encode(map[string]string{"error": err.Error()})
		} else {
			out.Encode(map[string]any{"ok": found})
		}
	}
}
