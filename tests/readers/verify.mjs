// Lines in: roots file, chain file, the leaf's key, by tabs. Out: true or the error, by whole handshakes.
import { readFileSync } from "node:fs";
import tls from "node:tls";

function verify(roots, chain, key) {
  return new Promise((done) => {
    const server = tls.createServer({ cert: readFileSync(chain), key: readFileSync(key) }, (socket) => socket.end());
    server.on("tlsClientError", () => {});
    const finish = (answer) => { server.close(); done(answer); };
    server.listen(0, "127.0.0.1", () => {
      const options = { host: "127.0.0.1", port: server.address().port, ca: readFileSync(roots), checkServerIdentity: () => undefined };
      const socket = tls.connect(options, () => { socket.destroy(); finish("true"); });
      socket.on("error", (error) => finish(error.code ?? String(error)));
    });
  });
}

for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) console.log(await verify(...line.split("\t")));
