// What the tests with npm ssh2 share: cases with a time limit, a client as promises. Prints "ok NAME" or "not ok NAME: why".
'use strict';
const crypto = require('crypto');
const path = require('path');
const ssh2 = require(path.join(__dirname, '..', 'node_modules', 'ssh2'));

let failures = 0;
const limit = (promise, ms, what) => {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${what} takes over ${ms} ms`)), ms); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

function ok(name) { console.log(`ok ${name}`); }
function notOk(name, why) {
  failures++;
  console.log(`not ok ${name}: ${String(why && why.message || why).replace(/\n/g, ' | ')}`);
}

// CASES=WORD runs those whose names have it.
const open = new Set();
async function test(name, body, ms = 30000) {
  if (process.env.CASES && !name.includes(process.env.CASES)) return;
  try {
    await limit(body(), ms, 'it');
    ok(name);
  } catch (error) {
    notOk(name, process.env.DEBUG ? error.stack : error);
  }
  for (const client of open) client.destroy();
  open.clear();
}
function same(got, expected, what = 'it') {
  const [a, b] = [got, expected].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`${what} is ${a}, not ${b}`);
}
function must(condition, what) { if (!condition) throw new Error(what); }
function finish() { process.exit(failures > 0 ? 1 : 0); }

// node style to promise
const call = (object, method, ...args) =>
  new Promise((resolve, reject) => object[method](...args, (error, ...got) => (error ? reject(error) : resolve(got[0]))));
const once = (emitter, name, ms = 20000) =>
  limit(new Promise((resolve) => emitter.once(name, (...args) => resolve(args))), ms, `the event ${name}`);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const md5 = (data) => crypto.createHash('md5').update(data).digest('hex');
const pattern = (len) => {
  const data = Buffer.allocUnsafe(len);
  for (let at = 0; at < len; at++) data[at] = (at * 131 + (at >> 8) * 7 + (at >> 16)) & 255;
  return data;
};

// A client that is ready; `seen` keeps its events. Errors after ready are kept as seen.error.
function connect(options) {
  const client = new ssh2.Client();
  const seen = { handshakes: [], hostkeys: null, error: null, methods: [], closed: null };
  client.seen = seen;
  open.add(client);
  if (process.env.DEBUG === '2') options = { debug: console.log, ...options };
  const debug = options.debug;
  client.on('handshake', (names) => seen.handshakes.push(names));
  client.on('hostkeys', (keys) => { seen.hostkeys = keys; });
  client.on('banner', (text) => { seen.banner = text; });
  client.on('greeting', (text) => { seen.greeting = text; });
  seen.closed = new Promise((resolve) => client.once('close', resolve));
  return limit(new Promise((resolve, reject) => {
    client.once('ready', () => { client.setNoDelay(true); resolve(client); });
    client.on('error', (error) => { seen.error = error; reject(Object.assign(error, { seen })); });
    client.once('close', () => reject(new Error('the connection is closed')));
    if (options.on) for (const name in options.on) client.on(name, (...args) => options.on[name](client, ...args));
    client.connect({ host: '127.0.0.1', readyTimeout: 60000, strictVendor: false, username: 'somebody', ...options, debug });
  }), 70000, 'connecting');
}
async function end(client) {
  client.end();
  await limit(client.seen.closed, 20000, 'the end');
}

// A program's channel. What comes with the answer is heard in its turn: a promise would be too late for it.
const begin = (client, method, ...args) => new Promise((resolve, reject) => {
  client[method](...args, (error, stream) => {
    if (error) return reject(error);
    stream.told = { code: undefined };
    stream.on('error', () => {});
    stream.on('exit', (code, signal, core, message) => Object.assign(stream.told, { code, signal, core, message }));
    stream.gone = new Promise((gone) => stream.on('close', gone));
    resolve(stream);
  });
});
// Its whole life: what it wrote and how it ended. `input` is sent, then EOF, unless it is a function, which gets the stream.
async function drain(stream, input) {
  const parts = { out: [], err: [] };
  stream.on('data', (data) => parts.out.push(data)).resume();
  if (stream.stderr && stream.stderr.readable) stream.stderr.on('data', (data) => parts.err.push(data)).resume();
  if (typeof input === 'function') input(stream);
  else stream.end(input);
  await stream.gone;
  return { ...stream.told, out: Buffer.concat(parts.out), err: Buffer.concat(parts.err) };
}
async function run(client, command, options = {}, input = undefined) {
  const stream = await begin(client, 'exec', command, options);
  return limit(drain(stream, input), 60000, command);
}

// A payload as it is, past everything that ssh2 would say to it.
const u32 = (number) => Buffer.from([number >>> 24, number >>> 16, number >>> 8, number].map((byte) => byte & 255));
function sendRaw(protocol, payload) {
  const { write } = protocol._packetRW;
  const packet = write.alloc(payload.length);
  packet.set(payload, write.allocStart);
  require('../node_modules/ssh2/lib/protocol/utils.js').sendPacket(protocol, write.finalize(packet));
}

module.exports = { ssh2, test, same, must, ok, notOk, finish, begin, call, once, sleep, limit, md5, pattern, connect, end, drain, run, u32, sendRaw };
