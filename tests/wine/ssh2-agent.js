// ssh2-agent.js NODE_MODULES CygwinAgent SOCKET_FILE SIGN_REQUEST... or PageantAgent PAGENT.EXE SIGN_REQUEST...: lists and signs
// through npm ssh2's agents for Windows, and prints the replies as they would have been on the wire, in hex digits.
'use strict';
const path = require('path');
const childProcess = require('child_process');
const [, , modules, kind, where, ...requests] = process.argv;

// ssh2 has these agents on Windows alone, and starts its pagent.exe as Windows would.
const spawn = childProcess.spawn;
childProcess.spawn = (program, args) =>
  /pagent\.exe$/.test(program) ? spawn('wine', [where, ...args.map(String)]) : spawn(program, args);
Object.defineProperty(process, 'platform', { value: 'win32' });
const agents = require(path.join(modules, 'ssh2', 'lib', 'agent.js'));
Object.defineProperty(process, 'platform', { value: 'linux' });

const agent = kind === 'CygwinAgent' ? new agents.CygwinAgent(where) : new agents.PageantAgent();

function string(data) {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  return Buffer.concat([length, data]);
}

function strings(buffer, start) {
  const found = [];
  for (let at = start; at + 4 <= buffer.length;) {
    const length = buffer.readUInt32BE(at);
    found.push(buffer.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return found;
}

function check(error) {
  if (error) {
    console.error(error);
    process.exit(1);
  }
}

agent.getIdentities((error, keys) => {
  check(error);
  const count = Buffer.from([12, 0, 0, 0, keys.length]);
  const all = keys.map((key) => Buffer.concat([string(key.getPublicSSH()), string(Buffer.from(key.comment))]));
  console.log(Buffer.concat([count, ...all]).toString('hex'));
  signNext(keys, 0);
});

function signNext(keys, i) {
  if (i === requests.length)
    process.exit(0);
  const request = Buffer.from(requests[i], 'hex');
  const [blob, data] = strings(request, 1);
  const key = keys.find((k) => k.getPublicSSH().equals(blob));
  const rsa = key.type === 'ssh-rsa';
  agent.sign(key, data, rsa ? { hash: 'sha512' } : {}, (error, signature) => {
    check(error);
    // ssh2 hands out the signature without its algorithm where it was asked for one.
    const algorithm = rsa ? 'rsa-sha2-512' : 'ssh-ed25519';
    const whole = Buffer.concat([string(Buffer.from(algorithm)), string(signature)]);
    console.log(Buffer.concat([Buffer.from([14]), string(whole)]).toString('hex'));
    signNext(keys, i + 1);
  });
}
