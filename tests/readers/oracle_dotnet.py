"""
Reads trust stores as .NET does, in a .NET runtime that comes as a wheel.

In: lines of path, kind and password between tabs. PEM is what Npgsql does with a root file: ImportFromPemFile, and where that finds
nothing, the one certificate of the file; PKCS12 is Import; ``-`` is no password. Out: ok|fail, fingerprints, what .NET says.
"""

import glob
import hashlib
import json
import os
import sys
import tempfile

os.environ.update({"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "DOTNET_EnableDiagnostics": "0"})
ROOT = glob.glob(sys.prefix + "/lib/python3*/site-packages/dnv/net/runtime/.net")[0]


def start():
    from pythonnet import load

    with tempfile.NamedTemporaryFile("w", suffix=".json") as settings:
        json.dump(
            {"runtimeOptions": {"tfm": "net8.0", "framework": {"name": "Microsoft.NETCore.App", "version": "8.0.0"}}}, settings
        )
        settings.flush()
        load("coreclr", runtime_config=settings.name, dotnet_root=ROOT)


def main():
    start()
    import clr

    clr.AddReference("System.Security.Cryptography")
    from System.Security.Cryptography.X509Certificates import X509Certificate2, X509Certificate2Collection

    for line in sys.stdin:
        path, kind, password = line.rstrip("\n").split("\t")
        found = X509Certificate2Collection()
        try:
            if kind == "PEM":
                found.ImportFromPemFile(path)
                if found.Count == 0:
                    found.Add(X509Certificate2(path))
            else:
                found.Import(path, None if password == "-" else password)
            print("ok\t" + ",".join(sorted({hashlib.sha256(bytes(c.RawData)).hexdigest() for c in found})) + "\t", flush=True)
        except Exception as error:
            print("fail\t\t" + str(error).partition("\n")[0][:120], flush=True)


if __name__ == "__main__":
    main()
