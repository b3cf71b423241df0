// The real parsers of node-postgres and postgres.js.
//
//   node node_parsers.js FOLDER-OF-node_modules PACKAGE
//
// One JSON text a line in; out: {"ok": …} or {"error": …}. Files are not read: each holds "FILE " and its path.

const fs = require('fs');
const path = require('path');
const [folder, name] = process.argv.slice(2);
const loaded = require(path.join(folder, 'node_modules', name));
const { version } = require(path.join(folder, 'node_modules', name, 'package.json'));
process.emitWarning = () => {};
console.log = console.warn = () => {};

const parsers = {
  'pg-connection-string': (text) => loaded.parse(text),
  postgres(text) {
    const { host, port, path, ssl, connection, user, database } = loaded(text, { max: 1 }).options;
    const { application_name, ...sent } = connection;
    return { host, port, path: path || false, ssl: ssl === undefined ? null : ssl, sent, user, database };
  },
};

const readFileSync = fs.readFileSync;
const lines = readFileSync(0, 'utf8').split('\n').filter(Boolean);
fs.readFileSync = (file) => {
  if (String(file).includes('\0')) throw new Error('a NUL in a file name');
  return `FILE ${file}`;
};
const out = [JSON.stringify({ version })];
for (const line of lines) {
  try {
    const text = JSON.stringify({ ok: parsers[name](JSON.parse(line)) }, (key, value) => (typeof value === 'function' ? 'function () {}' : value));
    out.push(text);
  } catch (error) {
    out.push(JSON.stringify({ error: `${error.name}: ${error.message}` }));
  }
}
fs.writeSync(1, out.join('\n') + '\n');
process.exit(0);
