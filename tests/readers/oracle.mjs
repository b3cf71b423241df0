// Connects with each trust file to servers of several roots. stdin: {servers: {name: {cert, key}}, files: [...]}.
// Out: one line a file, {"name": verified, …}.
import { readFileSync } from "node:fs";
import tls from "node:tls";

const wanted = JSON.parse(readFileSync(0, "utf8"));
const ports = {};
const servers = Object.entries(wanted.servers).map(([name, pair]) => {
  const server = tls.createServer(pair, (socket) => socket.end());
  server.on("tlsClientError", () => {});
  return new Promise((done) => server.listen(0, "127.0.0.1", () => { ports[name] = server.address().port; done(server); }));
});
const running = await Promise.all(servers);

function verifies(port, ca) {
  return new Promise((done) => {
    const options = { host: "127.0.0.1", port, checkServerIdentity: () => undefined };
    if (ca !== null) options.ca = ca;
    const socket = tls.connect(options, () => { done(true); socket.destroy(); });
    socket.on("error", (error) => done(error.code ?? String(error)));
  });
}

for (const file of wanted.files) {
  const ca = file === null ? null : readFileSync(file);
  const answer = {};
  for (const [name, port] of Object.entries(ports)) answer[name] = (await verifies(port, ca)) === true;
  console.log(JSON.stringify(answer));
}
for (const server of running) server.close();
