// Reads PEM bundles as Go does. Arguments: files. Out, a line each: ok|fail, fingerprints.
package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
)

func main() {
	for _, file := range os.Args[1:] {
		data, _ := os.ReadFile(file)
		word := "fail"
		if x509.NewCertPool().AppendCertsFromPEM(data) {
			word = "ok"
		}
		var found []string
		for rest := data; len(rest) > 0; {
			var block *pem.Block
			block, rest = pem.Decode(rest)
			if block == nil {
				break
			}
			if block.Type != "CERTIFICATE" || len(block.Headers) != 0 {
				continue
			}
			if c, err := x509.ParseCertificate(block.Bytes); err == nil {
				found = append(found, fmt.Sprintf("%x", sha256.Sum256(c.Raw)))
			}
		}
		fmt.Printf("%s\t%s\n", word, strings.Join(found, ","))
	}
}
