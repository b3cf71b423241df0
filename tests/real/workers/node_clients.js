// The worker for Node's drivers: node-postgres, alone and beneath Knex, Sequelize, TypeORM, Drizzle and Prisma 7, and postgres.js.
//
//   node node_clients.js NAME FOLDER-OF-node_modules
//
// One JSON object a line, in and out, as python_clients.py does.

const readline = require('readline');
const path = require('path');
const [name, folder] = process.argv.slice(2);
const load = (module) => require(path.join(folder, 'node_modules', module));
const version = (module) => require(path.join(folder, 'node_modules', module, 'package.json')).version;
const fs = require('fs');
const QUESTION = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';

// Settings are JSON; what only code can say is written as code would be: {"ca": "PATH"} is the file's text.
function settings(of) {
  const given = { ...(of.settings || {}) };
  for (const key of ['ssl', 'dialectOptions', 'connection', 'extra']) if (given[key] && typeof given[key] === 'object') given[key] = settings({ settings: given[key] });
  if (typeof given.ca === 'string' && given.ca.startsWith('/')) given.ca = fs.readFileSync(given.ca, 'utf8');
  if (given.checkServerIdentity === null) given.checkServerIdentity = () => undefined;
  return given;
}

const clients = {
  async 'node-postgres'(one) {
    const { Client } = load('pg');
    const client = new Client(one.dsn ? { connectionString: one.dsn, ...settings(one) } : settings(one));
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query(QUESTION)).rows[0].ssl;
    } finally {
      client.connection.stream.destroy();
    }
  },
  async 'postgres-js'(one) {
    const options = { max: 1, connect_timeout: 15, onnotice() {}, ...settings(one) };
    const sql = one.dsn ? load('postgres')(one.dsn, options) : load('postgres')(options);
    try {
      return (await sql.unsafe(QUESTION))[0].ssl;
    } finally {
      await sql.end({ timeout: 1 });
    }
  },
  async knex(one) {
    const knex = load('knex')({ client: 'pg', connection: one.dsn ? one.dsn : settings(one), pool: { min: 0, max: 1 }, acquireConnectionTimeout: 15000 });
    try {
      return (await knex.raw(QUESTION)).rows[0].ssl;
    } finally {
      await knex.destroy();
    }
  },
  async sequelize(one) {
    const { Sequelize } = load('sequelize');
    const options = { dialect: 'postgres', logging: false, ...settings(one) };
    const sequelize = one.dsn ? new Sequelize(one.dsn, options) : new Sequelize(options);
    try {
      return (await sequelize.query(QUESTION))[0][0].ssl;
    } finally {
      await sequelize.close();
    }
  },
  async prisma(one) {
    const { PrismaPg } = load('@prisma/adapter-pg');
    const adapter = await new PrismaPg(one.dsn ? { connectionString: one.dsn, ...settings(one) } : settings(one)).connect();
    try {
      return (await adapter.queryRaw({ sql: QUESTION, args: [], argTypes: [] })).rows[0][0];
    } finally {
      await adapter.dispose();
    }
  },
  async 'drizzle-node-postgres'(one) {
    const { drizzle } = load('drizzle-orm/node-postgres/index.cjs');
    const db = one.dsn ? drizzle(one.dsn) : drizzle({ connection: settings(one) });
    db.$client.on('error', () => {});
    try {
      return (await db.execute(QUESTION)).rows[0].ssl;
    } finally {
      await db.$client.end();
    }
  },
  async 'drizzle-postgres-js'(one) {
    const { drizzle } = load('drizzle-orm/postgres-js/index.cjs');
    const db = one.dsn ? drizzle(one.dsn) : drizzle({ connection: { max: 1, connect_timeout: 15, ...settings(one) } });
    try {
      return (await db.execute(QUESTION))[0].ssl;
    } finally {
      await db.$client.end({ timeout: 1 });
    }
  },
  async typeorm(one) {
    const { DataSource } = load('typeorm');
    const source = new DataSource({ type: 'postgres', ...(one.dsn ? { url: one.dsn } : {}), ...settings(one) });
    try {
      await source.initialize();
      return (await source.query(QUESTION))[0].ssl;
    } finally {
      if (source.isInitialized) await source.destroy();
    }
  },
};

const module_of = { 'node-postgres': 'pg', 'postgres-js': 'postgres', prisma: '@prisma/adapter-pg' }[name] || (name.startsWith('drizzle-') ? 'drizzle-orm' : name);
const runtime = { node: process.versions.node, openssl: process.versions.openssl };
if (!name.endsWith('postgres-js')) runtime['pg-connection-string'] = version('pg-connection-string');
if (module_of === name || name === 'drizzle-node-postgres') runtime.pg = version('pg');
if (name === 'drizzle-postgres-js') runtime.postgres = version('postgres');
const say = (answer) => fs.writeSync(1, JSON.stringify(answer) + '\n');
console.log = console.warn = console.error = () => {};
process.emitWarning = () => {};
let stray = null;
process.on('uncaughtException', (error) => stray && stray(error));
process.on('unhandledRejection', (error) => stray && stray(error));
const timer = (ms) => new Promise((_, reject) => setTimeout(() => reject(new Error('no answer')), ms).unref());
say({ driver: name.replace(/^drizzle-.*/, 'drizzle'), driver_version: version(module_of), runtime });

const base = { ...process.env };
(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const one = JSON.parse(line);
    for (const key of Object.keys(process.env)) delete process.env[key];
    Object.assign(process.env, base, { HOME: one.home }, one.env || {});
    try {
      const thrown = new Promise((_, reject) => (stray = reject));
      thrown.catch(() => {});
      const ssl = await Promise.race([clients[name](one), thrown, timer(20000)]);
      say({ id: one.id, outcome: ssl ? 'tls' : 'plaintext', error: '' });
    } catch (error) {
      say({ id: one.id, outcome: 'refused', error: `${error.code || error.name}: ${error.message}` });
    }
    stray = () => {};
  }
  process.exit(0);
})();
