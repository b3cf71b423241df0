"""The worker for Erlang's ssl with Postgrex' options: JSON in and out, as python_clients.py does; Erlang itself answers in lines.

    python erlang_clients.py PATH-OF-escript
"""

import json
import os
import subprocess
import sys


def main():
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "erlang_ssl.escript")
    erlang = subprocess.Popen([sys.argv[1], script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    otp = erlang.stdout.readline().strip()
    print(json.dumps({"driver": "postgrex", "driver_version": "0.20.0", "runtime": {"otp": otp}}), flush=True)
    for line in sys.stdin:
        case = json.loads(line)
        options = case["settings"]
        root = options["ssl"].get("cacertfile", "none") if isinstance(options["ssl"], dict) else "none"
        words = (options["hostname"], str(options["port"]), options["username"], options["database"], root)
        erlang.stdin.write("\t".join(words) + "\n")
        erlang.stdin.flush()
        outcome, _, error = erlang.stdout.readline().rstrip("\n").partition("\t")
        print(json.dumps({"id": case["id"], "outcome": outcome or "hung", "error": error}), flush=True)


main()
