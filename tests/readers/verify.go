// Arguments: pairs of roots file and chain file (PEM, leaf first). Out: true or the error, a line a pair.
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

func main() {
	for i := 1; i+1 < len(os.Args); i += 2 {
		roots, middle := x509.NewCertPool(), x509.NewCertPool()
		data, _ := os.ReadFile(os.Args[i])
		roots.AppendCertsFromPEM(data)
		rest, _ := os.ReadFile(os.Args[i+1])
		var leaf *x509.Certificate
		for {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				continue
			}
			if leaf == nil {
				leaf = c
			} else {
				middle.AddCert(c)
			}
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: middle}); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("true")
		}
	}
}
