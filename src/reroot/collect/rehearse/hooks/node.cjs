// Leads Node's name look-up to a rehearsal (REROOT_HOSTS), and reports what reaches tls.connect (REROOT_REPORT).
"use strict";
const crypto = require("crypto");
const dns = require("dns");
const fs = require("fs");
const tls = require("tls");

const led = Object.fromEntries((process.env.REROOT_HOSTS || "").split(",").filter(Boolean).map((pair) => pair.split("=")));
const lookup = dns.lookup;
dns.lookup = function (host, options, done) {
  if (typeof options === "function") {
    done = options;
    options = {};
  }
  const address = led[host];
  if (address === undefined) return lookup.call(this, host, options, done);
  return process.nextTick(() => (options && options.all ? done(null, [{ address, family: 4 }]) : done(null, address, 4)));
};

const report = process.env.REROOT_REPORT;
if (report) {
  const connect = tls.connect;
  tls.connect = function (...given) {
    const options = given.find((one) => one && typeof one === "object") || {};
    try {
      fs.appendFileSync(report, JSON.stringify(seen(options)) + "\n");
    } catch {
      // nobody listens any more
    }
    return connect.apply(this, given);
  };
}

function seen(options) {
  const ca = options.ca;
  const blocks = ca ? [].concat(ca).map(String).join("\n").match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) || [] : [];
  return {
    host: options.servername || options.host || null,
    verifies: options.rejectUnauthorized !== false && process.env.NODE_TLS_REJECT_UNAUTHORIZED !== "0",
    own_roots: Boolean(ca),
    own_context: Boolean(options.secureContext),
    roots: blocks.map((block) => new crypto.X509Certificate(block).raw.toString("hex")),
    extra: process.env.NODE_EXTRA_CA_CERTS || null,
    own_name_check: typeof options.checkServerIdentity === "function",
    node: process.versions.node,
    openssl: process.versions.openssl,
  };
}
