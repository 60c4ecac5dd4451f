// agent-ssh2.js SSH2 SOCKET PORT USER: npm ssh2's OpenSSHAgent lists, signs with each key, and logs in.
'use strict';
const [ssh2Path, socket, port, username] = process.argv.slice(2);
const { Client, OpenSSHAgent, utils } = require(ssh2Path);
let failures = 0;
function check(name, error) {
  if (error) failures++;
  console.log(error ? `not ok npm ssh2: ${name}: ${error}` : `ok npm ssh2: ${name}`);
}

const agent = new OpenSSHAgent(socket);
const data = Buffer.from('to be signed');

// The wire's mpints r and s as node's DER.
function der(signature) {
  const integers = [];
  for (let at = 0; at < signature.length;) {
    const length = signature.readUInt32BE(at);
    integers.push(Buffer.concat([Buffer.from([2, length]), signature.subarray(at + 4, at + 4 + length)]));
    at += 4 + length;
  }
  const body = Buffer.concat(integers);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

function signAll(keys, done) {
  if (!keys.length) return done();
  const key = keys[0].pubKey ? utils.parseKey(keys[0].pubKey) : keys[0];
  const options = key.type === 'ssh-rsa' ? { hash: 'sha512' } : {};
  agent.sign(keys[0], data, options, (error, signature) => {
    let why = error;
    if (!why && key.type.startsWith('ecdsa')) signature = der(signature);
    if (!why && key.verify(data, signature, options.hash) !== true) why = 'the signature does not verify';
    check(`sign with ${key.type}`, why);
    signAll(keys.slice(1), done);
  });
}

agent.getIdentities((error, keys) => {
  check('list', error || (keys.length === 3 ? null : `${keys.length} keys`));
  signAll(keys || [], () => {
    const client = new Client();
    let output = '';
    client.on('ready', () => client.exec('echo here; ssh-add -l | grep -c SHA256', { agentForward: true }, (failure, stream) => {
      if (failure) { check('login', failure); client.end(); return; }
      stream.on('data', (chunk) => { output += chunk; }).on('close', () => {
        check('login and forwarding', output === 'here\n3\n' ? null : JSON.stringify(output));
        client.end();
        process.exitCode = failures ? 1 : 0;
      });
    })).on('error', (failure) => { check('login', failure); process.exitCode = 1; });
    client.connect({ host: '127.0.0.1', port: Number(port), username, agent, agentForward: true });
  });
});
