"""
.NET's X509Chain, asked whether a chain verifies as SslStream and Npgsql ask it: own roots, for a TLS server, no revocation.

Lines in: roots file, chain file (PEM, leaf first), by tabs; a third field is a time, 2026-01-01T00:00:00Z. Out: ``true`` or the errors.
"""

import sys

from oracle_dotnet import start


def main():
    start()
    import clr

    clr.AddReference("System.Security.Cryptography")
    from System import DateTime
    from System.Security.Cryptography import Oid
    from System.Security.Cryptography.X509Certificates import (
        X509Certificate2Collection,
        X509Chain,
        X509ChainTrustMode,
        X509RevocationMode,
    )

    for line in sys.stdin:
        roots_file, chain_file, *when = line.rstrip("\n").split("\t")
        roots, served = X509Certificate2Collection(), X509Certificate2Collection()
        roots.ImportFromPemFile(roots_file)
        served.ImportFromPemFile(chain_file)
        chain = X509Chain()
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck
        chain.ChainPolicy.ApplicationPolicy.Add(Oid("1.3.6.1.5.5.7.3.1"))
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust
        chain.ChainPolicy.CustomTrustStore.AddRange(roots)
        chain.ChainPolicy.ExtraStore.AddRange(served)
        chain.ChainPolicy.ExtraStore.AddRange(roots)
        if when and when[0].endswith("Z"):
            chain.ChainPolicy.VerificationTime = DateTime.Parse(when[0])
        print("true" if chain.Build(served[0]) else " ".join(str(s.Status) for s in chain.ChainStatus), flush=True)


if __name__ == "__main__":
    main()
