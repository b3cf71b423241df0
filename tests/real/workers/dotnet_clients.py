"""
The worker for Npgsql's way on a real .NET: SslStream and X509Chain are .NET's own, what Npgsql adds is written down here after its source.

    python dotnet_clients.py 9.0.0
    python dotnet_clients.py --once DSN      a program that connects, and says how

No package that is to be had brings Npgsql itself. What decides over a chain and a name is .NET, and that is run; the modes, the
second attempt and the validation callbacks are those of Npgsql 8 and 9 (NpgsqlConnector.cs: OpenCore, NegotiateEncryption,
SslRootValidation). Keywords are read by .NET's own DbConnectionStringBuilder. JSON lines in and out, as python_clients.py.
"""

import json
import os
import struct
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "readers"))
import oracle_dotnet

MODES = ("disable", "allow", "prefer", "require", "verifyca", "verifyfull")


class Refused(Exception):
    """The client did not get a connection; carries its words, and the server's code where it has one."""

    def __init__(self, text, code=""):
        super().__init__(text)
        self.code = code


def start():
    oracle_dotnet.start()
    import clr

    for part in ("System.Data.Common", "System.Net.Security", "System.Net.Sockets", "System.Security.Cryptography"):
        clr.AddReference(part)


class Npgsql:
    def __init__(self, dsn, env, home):
        from System.Data.Common import DbConnectionStringBuilder

        builder = DbConnectionStringBuilder()
        builder.ConnectionString = dsn
        said = {str(k).replace(" ", "").lower(): str(builder[k]) for k in builder.Keys}
        self.mode = said.get("sslmode", "prefer").lower()
        if self.mode not in MODES:
            raise Refused(f"Couldn't set sslmode: {self.mode}")
        self.host, self.port = said["host"], int(said["port"])
        self.user, self.database = said["username"], said["database"]
        default = os.path.join(home, ".postgresql", "root.crt")
        self.root = said.get("rootcertificate") or env.get("PGSSLROOTCERT") or (default if os.path.exists(default) else None)

    def open(self, mode):
        """Whether the session is over TLS; one second attempt where the server refuses the first way."""
        from System.Net.Sockets import TcpClient

        client = TcpClient(self.host, self.port)
        client.ReceiveTimeout = client.SendTimeout = 20_000
        secure = False
        try:
            stream = client.GetStream()
            if mode not in ("disable", "allow"):
                write(stream, struct.pack(">II", 8, 80877103))
                said = read(stream, 1)
                if said == b"N" and mode != "prefer":
                    raise Refused("SSL connection requested. No SSL enabled connection from this host is configured.")
                if said == b"S":
                    stream, secure = self.encrypted(stream, mode), True
            self.log_in(stream)
            return secure
        except Refused as error:
            if error.code == "28000" and ((mode == "prefer" and secure) or (mode == "allow" and not secure)):
                client.Close()
                return self.open("disable" if mode == "prefer" else "require")
            raise
        finally:
            client.Close()

    def encrypted(self, stream, mode):
        from System.Net.Security import RemoteCertificateValidationCallback, SslClientAuthenticationOptions, SslStream

        wrong = []

        def judge(_sender, certificate, chain, errors):
            try:
                return self.accepts(mode, certificate, chain, errors)
            except Exception as error:
                wrong.append(str(error).partition("\n")[0])
                return False

        options = SslClientAuthenticationOptions()
        options.TargetHost = self.host
        options.RemoteCertificateValidationCallback = RemoteCertificateValidationCallback(judge)
        secured = SslStream(stream, False)
        try:
            secured.AuthenticateAsClient(options)
        except Exception as error:
            raise Refused(f"Exception while performing SSL handshake: {wrong or str(error).splitlines()[0]}") from None
        return secured

    def accepts(self, mode, certificate, chain, errors):
        from System.Net.Security import SslPolicyErrors
        from System.Security.Cryptography.X509Certificates import X509Certificate2, X509Certificate2Collection, X509ChainTrustMode

        if mode in ("prefer", "require"):
            return True
        name_is_wrong = errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch)
        no_error = errors == getattr(SslPolicyErrors, "None")
        if self.root is None:
            return no_error or (mode == "verifyca" and errors == SslPolicyErrors.RemoteCertificateNameMismatch)
        if certificate is None or chain is None:
            return False
        if no_error or (mode == "verifyca" and errors == SslPolicyErrors.RemoteCertificateNameMismatch):
            return True
        if mode == "verifyfull" and name_is_wrong:
            return False
        roots = X509Certificate2Collection()
        if os.path.splitext(self.root)[1].upper() != ".PFX":
            roots.ImportFromPemFile(self.root)
        if roots.Count == 0:
            roots.Add(X509Certificate2(self.root))
        chain.ChainPolicy.CustomTrustStore.AddRange(roots)
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust
        chain.ChainPolicy.ExtraStore.AddRange(roots)
        return chain.Build(X509Certificate2(certificate))

    def log_in(self, stream):
        words = {"user": self.user, "database": self.database, "client_encoding": "UTF8"}
        body = struct.pack(">I", 196608) + b"".join(f"{k}\0{v}\0".encode() for k, v in words.items()) + b"\0"
        write(stream, struct.pack(">I", len(body) + 4) + body)
        while True:
            kind, length = struct.unpack(">cI", read(stream, 5))
            body = read(stream, length - 4)
            if kind == b"Z":
                return
            if kind == b"E":
                fields = {f[:1].decode(): f[1:].decode() for f in body.split(b"\0") if f}
                raise Refused(f"{fields['C']}: {fields['M']}", fields["C"])


def write(stream, data):
    from System import Array, Byte

    stream.Write(Array[Byte](data), 0, len(data))
    stream.Flush()


def read(stream, count):
    from System import Array, Byte

    buffer, got = Array[Byte](bytes(count)), 0
    while got < count:
        more = stream.Read(buffer, got, count - got)
        if not more:
            raise Refused("the server ended the connection")
        got += more
    return bytes(buffer)


def main():
    start()
    if sys.argv[1] == "--once":
        one = Npgsql(sys.argv[2], os.environ, os.environ.get("HOME", "/"))
        sys.exit(print("tls" if one.open(one.mode) else "plaintext"))
    from System import Environment

    hello = {"driver": "npgsql", "driver_version": sys.argv[1], "runtime": {"dotnet": str(Environment.Version), "os": "linux"}}
    print(json.dumps(hello), flush=True)
    for line in sys.stdin:
        case = json.loads(line)
        answer = {"id": case["id"], "outcome": "refused", "error": ""}
        try:
            one = Npgsql(case["dsn"], case.get("env", {}), case["home"])
            answer["outcome"] = "tls" if one.open(one.mode) else "plaintext"
        except Exception as error:
            answer["error"] = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
