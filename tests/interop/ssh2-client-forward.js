// C6 to C8: forwards, agents, host keys, key exchanges under load. Run by ssh2-client.js.
'use strict';
const fs = require('fs');
const net = require('net');
const path = require('path');
const { ssh2, test, same, must, begin, call, once, sleep, limit, md5, connect, end, drain, run } = require('./ssh2-lib');

// An echo server here; `where` for net.connect.
async function echoServer(where) {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket));
  server.listen(where);
  await once(server, 'listening');
  return server;
}
// All of `data` there and back over a duplex, with half-close.
function echo(duplex, data) {
  const parts = [];
  duplex.on('data', (part) => parts.push(part));
  duplex.on('error', () => {});
  duplex.end(data);
  return limit(new Promise((resolve) => duplex.on('end', () => resolve(same(md5(Buffer.concat(parts)), md5(data))))), 20000, 'the echo');
}
async function refused(where) {
  const socket = net.connect(where);
  const [name] = await Promise.race([once(socket, 'connect').then(() => ['connect']), once(socket, 'error').then(() => ['error'])]);
  socket.destroy();
  return name === 'error';
}

async function c6({ dir, all, peer, at, ten }) {
  const data = ten.subarray(0, 3 << 20);
  const one = (name, port, body, more) => test(name, async () => {
    const client = await connect(at(port, more));
    await body(client);
    await end(client);
  });
  await one('C6 forwardOut', all, async (client) => {
    const server = await echoServer({ port: 0, host: '127.0.0.1' });
    const streams = await Promise.all([1, 2, 3].map(() => call(client, 'forwardOut', '192.0.2.1', 99, '127.0.0.1', server.address().port)));
    await Promise.all(streams.map((stream) => echo(stream, data)));
    server.close();
    const why = await call(client, 'forwardOut', '192.0.2.1', 99, '127.0.0.1', 1).catch((error) => error);
    must(why instanceof Error && why.reason === 2, `a closed port gives ${why}`);
  });
  for (const fixed of [false, true]) {
    await one(`C6 forwardIn, ${fixed ? 'a fixed port' : 'port 0'}, and unforwardIn`, all, async (client) => {
      const free = await echoServer({ port: 0, host: '127.0.0.1' });
      const wanted = fixed ? free.address().port : 0;
      free.close();
      await once(free, 'close');
      const port = await call(client, 'forwardIn', '127.0.0.1', wanted) || wanted;
      must(fixed ? port === wanted : port > 0, `port ${port}`);
      client.on('tcp connection', (info, accept) => {
        same([info.destIP, info.destPort], ['127.0.0.1', port]);
        const stream = accept();
        stream.on('error', () => {}).pipe(stream);
      });
      await Promise.all([1, 2, 3].map(() => echo(net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }), data)));
      await call(client, 'unforwardIn', '127.0.0.1', port);
      must(await refused({ port, host: '127.0.0.1' }), 'it still listens');
    });
  }
  await one('C6 streamlocal both ways', all, async (client) => {
    const there = path.join(dir, 'there'), back = path.join(dir, 'back');
    const server = await echoServer({ path: there });
    await echo(await call(client, 'openssh_forwardOutStreamLocal', there), data);
    server.close();
    await call(client, 'openssh_forwardInStreamLocal', back);
    client.on('unix connection', (info, accept) => {
      same(info.socketPath, back);
      const stream = accept();
      stream.on('error', () => {}).pipe(stream);
    });
    await echo(net.connect({ path: back, allowHalfOpen: true }), data);
    await call(client, 'openssh_unforwardInStreamLocal', back);
    must(await refused({ path: back }), 'it still listens');
  });
  await one('C6 no-more-sessions', all, async (client) => {
    same((await run(client, 'exit 2')).code, 2);
    await call(client, 'openssh_noMoreSessions');
    const why = await call(client, 'exec', 'true').catch((error) => error);
    must(why instanceof Error, 'another session opens');
  });
  // Nobody listens for peer-server's forwards: its command "forwarded" plays who connects.
  await one('C6 forwarded-tcpip with the address that was asked for', peer, async (client) => {
    same(await call(client, 'forwardIn', 'localhost', 0), 4242);
    client.on('tcp connection', (info, accept) => {
      same([info.destIP, info.destPort, info.srcIP, info.srcPort], ['localhost', 4242, '192.0.2.9', 999]);
      const stream = accept();
      stream.on('data', (heard) => stream.end(`heard ${heard}`));
    });
    same((await run(client, 'forwarded localhost 4242')).out.toString(), 'heard hello');
  });
  await one('C6 forwarded-tcpip with another address or port is refused', peer, async (client) => {
    await call(client, 'forwardIn', 'localhost', 0);
    client.on('tcp connection', (info, accept) => accept().end());
    same((await run(client, 'forwarded 127.0.0.1 4242')).out.toString(), 'refused 1');
    same((await run(client, 'forwarded localhost 4243')).out.toString(), 'refused 1');
    same((await run(client, 'unknown-channel')).out.toString(), 'refused 3');
  });
  await one('defect-16-x11-with-ssh2', peer, async (client) => {
    client.on('x11', (info, accept) => {
      const stream = accept();
      stream.on('data', (heard) => stream.end(`X heard ${heard} of ${info.srcIP}`));
    });
    same((await run(client, 'x11', { x11: { single: false, screen: 1 } })).out.toString(), 'X heard hello of 192.0.2.9');
    const told = (await run(client, 'told')).out.toString();
    must(/^x11 many 1 MIT-MAGIC-COOKIE-1 [0-9a-f]{32}\n$/.test(told), told);
  });

  // An agent of the application's own, with one key.
  class OneKey extends ssh2.BaseAgent {
    getIdentities(done) { done(null, [ssh2.utils.parseKey(fs.readFileSync(path.join(dir, 'id_ed25519.pub')))]); }
    sign(key, message, options, done) {
      const own = ssh2.utils.parseKey(fs.readFileSync(path.join(dir, 'id_ed25519')));
      done(null, own.sign(message));
    }
    getStream(done) {
      const server = new ssh2.AgentProtocol(false);
      server.on('identities', (request) => this.getIdentities((error, keys) => server.getIdentitiesReply(request, keys)));
      server.on('sign', (request, key, message, options) => this.sign(key, message, options, (error, signature) => server.signReply(request, signature)));
      server.on('error', () => {});
      done(null, server);
    }
  }
  await test('C6 an agent signs in and is forwarded to the application', async () => {
    const client = await connect({ port: peer, username: 'key', agent: new OneKey(), agentForward: true });
    same((await run(client, 'agent', { agentForward: true })).out.toString(), '12 with 1 identities');
    same((await run(client, 'agent', { agentForward: true })).out.toString(), '12 with 1 identities', 'once more');
    await end(client);
  });
  await test('C6 an agent that is not forwarded', async () => {
    const client = await connect({ port: peer, username: 'key', agent: new OneKey() });
    const text = (await run(client, 'agent')).out.toString();
    must(/agent/.test(text) && !/identities/.test(text), text);
    await end(client);
  });
  await test('C6 a forwarded agent is SSH_AUTH_SOCK', async () => {
    const client = await connect(at(all, { agent: new OneKey(), agentForward: true }));
    const stream = await begin(client, 'exec', 'ssh-add -L', { agentForward: true });
    const words = (await drain(stream)).out.toString().split(' ');
    same(words.slice(0, 2), fs.readFileSync(path.join(dir, 'id_ed25519.pub'), 'utf8').split(' ').slice(0, 2));
    await end(client);
  });
}

async function c7({ all, peer, peerOpenssh, at }) {
  const types = async (port, more) => {
    const client = await connect(at(port, more));
    for (let round = 0; round < 100 && !client.seen.hostkeys; round++) await sleep(50);
    const names = (client.seen.hostkeys || []).map((key) => key.type);
    await end(client);
    return names;
  };
  await test('C7 host keys are announced and proven', async () => {
    const expected = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'ssh-rsa'];
    same(await types(all), expected);
    same(await types(all, { algorithms: { serverHostKey: ['rsa-sha2-512'] } }), expected, 'over rsa-sha2-512');
  });
  await test('C7 a wrong proof is left out', async () => same(await types(peer), ['ssh-ed25519', 'ssh-rsa']));
  await test('C7 under OpenSSH\'s name strictVendor lets them through', async () =>
    same(await types(peerOpenssh, { strictVendor: true }), ['ssh-ed25519', 'ssh-rsa']));
}

async function c8({ dir, rekey, peer, at }) {
  const MIB = 48;
  await test(`C8 fastGet and fastPut of ${MIB} MiB, programs and keepalives under key exchanges`, async () => {
    const data = Buffer.alloc(MIB << 20, 'rekeying');
    const here = path.join(dir, 'c8-here'), far = path.join(dir, 'c8-far');
    fs.writeFileSync(here, data);
    const client = await connect(at(rekey, { keepaliveInterval: 200, keepaliveCountMax: 50, hostVerifier: () => true }));
    const sftp = await call(client, 'sftp');
    let busy = true;
    const programs = (async () => {
      let count = 0;
      for (; busy; count++) same((await run(client, 'cat', {}, 'x'.repeat(10000))).out.length, 10000, 'a program\'s output');
      return count;
    })();
    await Promise.all([call(sftp, 'fastPut', here, far), call(sftp, 'fastGet', here, `${far}-got`)]);
    busy = false;
    must(await programs > 0, 'no program ran');
    for (const name of [far, `${far}-got`]) {
      must(fs.readFileSync(name).equals(data), `${name} differs`);
      fs.unlinkSync(name);
    }
    must(client.seen.handshakes.length > MIB / 2, `${client.seen.handshakes.length} key exchanges`);
    await end(client);
  }, 90000);
  await test('defect-10-rekey-of-the-server-with-ssh2', async () => {
    const client = await connect(at(peer));
    for (let round = 2; round < 5; round++) {
      same((await run(client, 'rekey')).out.toString(), 'rekeyed');
      must((await run(client, 'exit 1')).code === 1, 'the status');
      same(client.seen.handshakes.length, round, 'handshakes');
    }
    await end(client);
  });
  await test('C8 keepalives are answered', async () => {
    const client = await connect(at(peer, { keepaliveInterval: 50, keepaliveCountMax: 2 }));
    await sleep(1000);
    same((await run(client, 'exit 6')).code, 6);
    same(client.seen.error, null);
    await end(client);
  });
}

module.exports = { c6, c7, c8 };
