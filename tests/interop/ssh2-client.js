// ssh2-client.js DIRECTORY PORT-ALL PORT-REKEY PORT-PEER PORT-OPENSSH-PEER: npm ssh2 as a client of core/examples/sshd (everything
// switched on; a key exchange every MiB) and of tests/interop/peer-server (an application's own answers; the same under OpenSSH's name).
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { KexInit } = require('../node_modules/ssh2/lib/protocol/kex.js');
const { ssh2, test, same, must, finish, begin, call, once, sleep, limit, md5, pattern, connect, end, drain, run, u32, sendRaw } = require('./ssh2-lib');

const [dir, all, rekey, peer, peerOpenssh] = process.argv.slice(2).map((word, at) => (at ? Number(word) : word));
const userKey = fs.readFileSync(path.join(dir, 'id_ed25519'));
const password = { password: 'secret', authHandler: ['password'] };
const at = (port, more = {}) => ({ port, ...password, ...more });
const legacy = process.execArgv.concat((process.env.NODE_OPTIONS || '').split(' ')).includes('--openssl-legacy-provider');

// --- C1: key exchanges and host keys ---

const KEX = ['curve25519-sha256@libssh.org', 'curve25519-sha256', 'ecdh-sha2-nistp256', 'ecdh-sha2-nistp384', 'ecdh-sha2-nistp521',
  'diffie-hellman-group-exchange-sha256', 'diffie-hellman-group14-sha256', 'diffie-hellman-group15-sha512',
  'diffie-hellman-group16-sha512', 'diffie-hellman-group17-sha512', 'diffie-hellman-group18-sha512',
  'diffie-hellman-group-exchange-sha1', 'diffie-hellman-group14-sha1', 'diffie-hellman-group1-sha1'];
const HOST_KEYS = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'rsa-sha2-512',
  'rsa-sha2-256', 'ssh-rsa'];

async function c1() {
  // The slow groups with one host key: the exchange hash does not depend on both at once more than others do.
  for (const kex of KEX) {
    const slow = /group1[5678]|exchange/.test(kex);
    await test(`${/exchange/.test(kex) ? 'defect-11-group-exchange-with-ssh2' : 'C1'} ${kex} with ${slow ? 'two host keys' : 'every host key'}`, async () => {
      for (const serverHostKey of slow ? ['ssh-ed25519', 'rsa-sha2-512'] : HOST_KEYS) {
        const client = await connect(at(all, { algorithms: { kex: [kex], serverHostKey: [serverHostKey] } }));
        same(client.seen.handshakes[0].kex, kex, 'kex');
        same(client.seen.handshakes[0].serverHostKey, serverHostKey, 'serverHostKey');
        same((await run(client, 'exit 3')).code, 3, 'the status');
        await end(client);
      }
    });
  }
  // Leading zero bytes of K, r and s: one in 256 each.
  await test('C1 leading zeros: 300 exchanges', async () => {
    const one = async (kex, serverHostKey) => {
      const client = await connect(at(all, { algorithms: { kex: [kex], serverHostKey: [serverHostKey] } }));
      await end(client);
    };
    for (let round = 0; round < 75; round++)
      await Promise.all([one('curve25519-sha256', 'ssh-ed25519'), one('ecdh-sha2-nistp256', 'ecdsa-sha2-nistp256'),
        one('ecdh-sha2-nistp521', 'ecdsa-sha2-nistp521'), one('ecdh-sha2-nistp384', 'ecdsa-sha2-nistp384')]);
  });
  await test('C1 no common algorithm is a clean end', async () => {
    let why = null;
    await connect(at(peer, { algorithms: { cipher: ['3des-cbc'] } })).catch((error) => { why = error; });
    must(why && why.level === 'handshake', `the error is ${why}`);
  });
}

// --- C2: ciphers, MACs, compression ---

const CIPHERS = ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-gcm', 'aes256-gcm', 'chacha20-poly1305@openssh.com',
  'aes128-ctr', 'aes192-ctr', 'aes256-ctr', 'aes128-cbc', 'aes192-cbc', 'aes256-cbc', '3des-cbc'];
const LEGACY_CIPHERS = ['blowfish-cbc', 'cast128-cbc', 'arcfour', 'arcfour128', 'arcfour256'];
const MACS = ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha1-etm@openssh.com', 'hmac-sha2-256',
  'hmac-sha2-512', 'hmac-sha1', 'hmac-md5', 'hmac-sha2-256-96', 'hmac-sha2-512-96', 'hmac-sha1-96', 'hmac-md5-96',
  'hmac-ripemd160'];
// What one of both does not have, and why.
const NOT_OURS = {
  'aes128-gcm': 'RFC 5647 names it AEAD_AES_128_GCM; the bare name is ssh2\'s own', 'aes256-gcm': 'as aes128-gcm',
  arcfour: 'ssh2 throws 1536 bytes of the key stream away, which RFC 4345 asks of arcfour128 and arcfour256 alone',
};

const ten = pattern(10 << 20), part = ten.subarray(0, 256 << 10);
async function echo(algorithms, data, port = all) {
  const client = await connect(at(port, { algorithms }));
  const result = await run(client, 'cat', {}, data);
  same(result.code, 0, 'the status');
  same(md5(result.out), md5(data), 'what came back');
  const names = client.seen.handshakes[0];
  await end(client);
  return names;
}
async function c2() {
  const ciphers = legacy ? LEGACY_CIPHERS : CIPHERS;
  for (const cipher of ciphers) {
    if (NOT_OURS[cipher]) {
      console.log(`# C2 ${cipher} is left out: ${NOT_OURS[cipher]}`);
      continue;
    }
    const macs = /gcm|chacha/.test(cipher) ? [MACS[0]] : MACS.filter((mac) => legacy || mac !== 'hmac-ripemd160');
    await test(`C2 ${cipher} with ${macs.length === 1 ? '10 MiB both ways' : `${macs.length} MACs`}`, async () => {
      for (const mac of macs)
        await echo({ cipher: [cipher], hmac: [mac] }, macs.length === 1 ? ten : part)
          .then((names) => same(names.cs.cipher, cipher), (error) => { throw new Error(`${mac}: ${error.message}`); });
    });
  }
  if (legacy) return;
  for (const compress of ['none', 'zlib@openssh.com', 'zlib']) {
    await test(`C2 compression ${compress}`, async () => {
      const names = await echo({ compress: [compress] }, ten);
      same([names.cs.compress, names.sc.compress], [compress, compress]);
    });
    await test(`C2 compression ${compress}, a key exchange every MiB`, () => echo({ compress: [compress] }, ten, rekey));
  }
  for (const [from, to] of [['none', 'zlib@openssh.com'], ['zlib@openssh.com', 'none']]) {
    await test(`C2 from ${from} to ${to} at a key exchange`, async () => {
      const client = await connect(at(rekey, { algorithms: { compress: [from] } }));
      const side = { cipher: ['aes128-ctr'], mac: ['hmac-sha2-256'], compress: [to], lang: [] };
      client._protocol._offer = new KexInit({ kex: ['curve25519-sha256'], serverHostKey: ['ssh-ed25519'], cs: side, sc: side });
      const data = crypto.randomBytes(8 << 20); // compressed it is no less: the limit is reached
      same(md5((await run(client, 'cat', {}, data)).out), md5(data));
      const last = client.seen.handshakes.pop();
      same([last.cs.compress, last.sc.compress], [to, to]);
      await end(client);
    });
  }
}

// --- C3, C4: signing in ---

// What peer-server saw of a sign-in, in order, as it tells who is in.
const story = async (client) => (await run(client, 'story')).out.toString().trim();
const FIXTURES = path.join(__dirname, '..', 'node_modules', 'ssh2', 'test', 'fixtures');

async function c3() {
  await test('C3 none, then password', async () => {
    const client = await connect({ port: peer, password: 'secret' });
    same(await story(client), 'none password');
    await end(client);
  });
  await test('C3 a password is changed', async () => {
    const client = await connect({ port: peer, username: 'change', password: 'secret', on: {
      'change password': (_, prompt, done) => { same(prompt, 'It is too old.'); done('newer'); } } });
    same(await story(client), 'none password change');
    await end(client);
  });
  await test('C3 two rounds of keyboard-interactive', async () => {
    const asked = [];
    const client = await connect({ port: peer, username: 'rounds', tryKeyboard: true, on: {
      'keyboard-interactive': (_, name, instructions, lang, prompts, answer) => {
        asked.push([name, instructions, prompts.map(({ prompt, echo }) => [prompt, echo])]);
        answer(prompts.map(({ prompt }) => prompt.toUpperCase()));
      } } });
    same(asked, [['one', 'first', [['a: ', true], ['b: ', false]]], ['two', '', [['c: ', true]]]]);
    same(await story(client), 'none keyboard-interactive keyboard-interactive(A: |B: ) keyboard-interactive(C: )');
    await end(client);
  });
  await test('C3 a key: the probe first, an ed25519 signature then', async () => {
    const client = await connect({ port: peer, username: 'key', privateKey: userKey });
    same(await story(client), 'none publickey?ssh-ed25519 publickey!ssh-ed25519');
    await end(client);
  });
  await test('C3 an RSA key signs with rsa-sha2-256, as server-sig-algs says', async () => {
    const client = await connect({ port: peer, username: 'key', privateKey: fs.readFileSync(path.join(dir, 'id_rsa')) });
    same(await story(client), 'none publickey?rsa-sha2-256 publickey!rsa-sha2-256');
    await end(client);
  });
  await test('C3 every key of ssh2\'s own fixtures', async () => {
    let count = 0;
    for (const name of fs.readdirSync(path.join(FIXTURES, 'keyParser'))) {
      if (/\.(pub|result)$/.test(name) || name.startsWith('rfc4716')) continue;
      const key = fs.readFileSync(path.join(FIXTURES, 'keyParser', name));
      const passphrase = /enc/.test(name) ? (name.startsWith('ppk') ? 'node.js' : 'password') : undefined;
      const parsed = ssh2.utils.parseKey(key, passphrase);
      must(!(parsed instanceof Error), `${name}: ${parsed}`);
      const client = await connect({ port: peer, username: 'key', privateKey: key, passphrase }).catch((error) => error);
      const weak = parsed.type === 'ssh-dss' || /ppk_rsa_enc/.test(name); // DSA and 1023 bits: not let in, and said so
      if (weak) {
        must(client instanceof Error && client.level === 'client-authentication', `${name}: ${client.message || 'it is let in'}`);
      } else {
        if (client instanceof Error) throw new Error(`${name}: ${client.message}`);
        must((await story(client)).includes('publickey!'), name);
        await end(client);
      }
      count++;
    }
    must(count >= 17, `${count} keys`);
  });
  await test('C3 hostbased', async () => {
    const client = await connect({ port: peer, username: 'host', authHandler: [
      { type: 'hostbased', username: 'host', key: userKey, localHostname: 'here.example', localUsername: 'me' }] });
    same(await story(client), 'hostbased(me@here.example)ssh-ed25519');
    await end(client);
  });
  await test('C3 partial success: a key, then a password', async () => {
    const next = [];
    const client = await connect({ port: peer, username: 'both', authHandler: (methods, partial, done) => {
      next.push([methods, partial]);
      done(next.length === 1 ? { type: 'publickey', username: 'both', key: userKey }
        : { type: 'password', username: 'both', password: 'secret' });
    } });
    same(next, [[null, null], [['password'], true]]);
    same(await story(client), 'publickey?ssh-ed25519 publickey!ssh-ed25519 password');
    await end(client);
  });
  await test('C3 a wrong password, and six of them', async () => {
    let why = null;
    let tried = 0;
    await connect({ port: peer, authHandler: (methods, partial, done) => {
      done(++tried > 8 ? false : { type: 'password', username: 'somebody', password: 'wrong' });
    } }).catch((error) => { why = error; });
    must(why, 'it is let in');
    same(tried, 6, 'attempts');
    same(why.code, 14, 'the reason');
  });
  await test('defect-15-unknown-method-with-ssh2', async () => {
    const client = await connect({ port: peer, authHandler: ['none', 'password'], password: 'secret', on: {
      // In place of "none"; it is refused as any other method is, and the sign-in goes on.
      handshake: ({ _protocol: protocol }) => {
        protocol.authNone = (name) => {
          const words = [name, 'ssh-connection', 'gssapi-with-mic'].map((word) => [u32(word.length), Buffer.from(word)]);
          protocol._authsQueue.push('none');
          sendRaw(protocol, Buffer.concat([Buffer.from([50]), ...words.flat(), u32(0)]));
        };
      } } });
    same(await story(client), 'password');
    await end(client);
  });
  await test('C4 without server-sig-algs ssh2 takes SHA-1, which is refused, and the sign-in goes on', async () => {
    const client = await connect({ port: all, password: 'secret', privateKey: fs.readFileSync(path.join(dir, 'id_rsa')),
      authHandler: ['publickey', 'password'], on: { handshake: ({ _protocol: protocol }) => {
        protocol._handlers.EXT_INFO = undefined; // which comes next
      } } });
    same((await run(client, 'echo in')).out.toString(), 'in\n');
    await end(client);
  });
  await test('banner', async () => {
    const client = await connect(at(all));
    same(client.seen.banner, 'Hello from the banner.\n');
    await end(client);
  });
}

// --- C5: sessions ---

async function c5() {
  const one = (name, body) => test(name, async () => {
    const it = await connect(at(all));
    await body(it);
    await end(it);
  });
  await one('C5 exit status 0, 1, 255', async (it) => {
    for (const code of [0, 1, 255]) same((await run(it, `exit ${code}`)).code, code);
  });
  await one('C5 a program that a signal ends', async (it) => {
    const result = await run(it, 'kill -TERM $$');
    same([result.code, result.signal, result.core], [null, 'SIGTERM', false]);
  });
  await one('C5 stdout and stderr apart', async (it) => {
    const result = await run(it, 'echo out; echo err >&2; exit 4');
    same([result.out.toString(), result.err.toString(), result.code], ['out\n', 'err\n', 4]);
  });
  await one('defect-02-stderr-pressure-with-ssh2', async (it) => {
    const result = await run(it, 'head -c 5242880 /dev/zero; head -c 5242880 /dev/zero | tr "\\0" e >&2');
    same([result.out.length, result.err.length, result.err.every((byte) => byte === 101)], [5 << 20, 5 << 20, true]);
    const stream = await begin(it, 'exec', 'head -c 4194304 /dev/zero & head -c 4194304 /dev/zero | tr "\\0" e >&2; wait');
    stream.pause();
    stream.stderr.pause();
    await sleep(200);
    const both = await drain(stream);
    same([both.out.length, both.err.length], [4 << 20, 4 << 20], 'at once');
  });
  await one('C5 env that is allowed', async (it) => {
    same((await run(it, 'echo $LC_PEER-$SECRET_PEER', { env: { LC_PEER: 'yes', SECRET_PEER: 'no' } })).out.toString(), 'yes-\n');
  });
  await one('defect-06-pty-modes-with-ssh2', async (it) => {
    const pty = { term: 'vt220', cols: 91, rows: 33, modes: { ECHO: 0, VINTR: 5, ISIG: 1, TTY_OP_ISPEED: 38400 } };
    const text = (await run(it, 'echo $TERM; stty -a', { pty })).out.toString();
    for (const word of ['vt220', 'rows 33', 'columns 91', '-echo ', 'intr = ^E', 'isig ']) must(text.includes(word), `no ${word}: ${text}`);
  });
  await one('C5 window-change', async (it) => {
    const stream = await begin(it, 'exec', 'trap "stty size; exit 7" WINCH; echo up; while :; do sleep 0.05; done', { pty: true });
    const done = drain(stream, () => {});
    await once(stream, 'data');
    stream.setWindow(50, 132, 0, 0);
    const result = await done;
    must(result.out.toString().includes('50 132') && result.code === 7, JSON.stringify(result.out.toString()));
  });
  await one('C5 signal', async (it) => {
    const stream = await begin(it, 'exec', 'trap "echo caught; exit 9" INT; echo up; while :; do sleep 0.05; done');
    const done = drain(stream, () => {});
    await once(stream, 'data');
    stream.signal('INT');
    const result = await done;
    same([result.out.toString(), result.code], ['up\ncaught\n', 9]);
  });
  await one('C5 output after the client\'s EOF', async (it) => {
    same((await run(it, 'cat >/dev/null; sleep 0.1; echo late')).out.toString(), 'late\n');
  });
  await one('C5 allowHalfOpen false: EOF and CLOSE at once', async (it) => {
    const result = await run(it, 'cat; sleep 0.3; echo late', { allowHalfOpen: false }, 'x');
    same(result.out.includes('late'), false, 'output after CLOSE');
    same((await run(it, 'echo next')).out.toString(), 'next\n');
  });
  await one('C5 a shell', async (it) => {
    const stream = await begin(it, 'shell', false);
    const result = await drain(stream, (shell) => shell.end('echo shell $((40+2))\nexit 5\n'));
    same([result.out.toString(), result.code], ['shell 42\n', 5]);
  });
  await one('C5 20 pipelined programs, answered in order', async (it) => {
    const order = [];
    await Promise.all(Array.from({ length: 20 }, async (_, n) => {
      const stream = await begin(it, 'exec', `echo ${n}`);
      order.push(n);
      same((await drain(stream)).out.toString(), `${n}\n`);
    }));
    same(order, Array.from({ length: 20 }, (_, n) => n));
  });
  await one('C5 an unknown subsystem is refused', async (it) => {
    const why = await call(it, 'subsys', 'netconf').catch((error) => error);
    must(why instanceof Error, 'it starts');
  });
  await test('C5 exit-status 4294967295, exit-signal with words, close without either', async () => {
    const it = await connect(at(peer));
    same((await run(it, 'exit 4294967295')).code, 4294967295);
    const result = await run(it, 'signal SEGV');
    same([result.code, result.signal, result.core, result.message], [null, 'SIGSEGV', true, 'it fell']);
    same((await run(it, 'close')).code, undefined);
    await end(it);
  });
  await test('C5 what the application reads: pty modes, env, x11', async () => {
    const it = await connect(at(peer));
    const told = (await run(it, 'told', { env: { A: '1', B: 'two' }, pty: { term: 'xterm', cols: 10, rows: 20, modes: { VINTR: 3, ECHO: 1, TTY_OP_OSPEED: 4000000000 } },
      x11: { single: true, screen: 2, protocol: 'MIT-MAGIC-COOKIE-1', cookie: '00112233445566778899aabbccddeeff' } })).out.toString();
    same(told.split('\n').filter(Boolean), ['env A=1', 'env B=two', 'pty xterm 10x20', 'mode VINTR=3', 'mode ECHO=1', 'mode TTY_OP_OSPEED=4000000000',
      'x11 single 2 MIT-MAGIC-COOKIE-1 00112233445566778899aabbccddeeff']);
    await end(it);
  });
  await test('defect-14-requests-after-exec-with-ssh2', async () => {
    const it = await connect(at(all));
    const stream = await begin(it, 'exec', 'cat');
    const done = drain(stream, () => {});
    // env with want_reply after exec, and a request that nobody knows: each is answered.
    const replies = [];
    for (const more of [true, false]) {
      const channel = it._chanMgr.get(stream.incoming.id);
      await limit(new Promise((resolve) => {
        channel._callbacks.push((error) => { replies.push(!error); resolve(); });
        if (more) it._protocol.env(stream.outgoing.id, 'LC_LATE', 'x', true);
        else it._protocol.subsystem(stream.outgoing.id, 'again', true);
      }), 5000, 'the reply');
    }
    same(replies.length, 2);
    stream.end();
    await done;
    await end(it);
  });
  await test('defect-13-sftp-env-answers-in-order', async () => {
    const it = await connect(at(all));
    // ssh2 expects one reply to N variables; one variable works, and the SFTP session with it.
    const sftp = await call(it, 'sftp', { LC_ONE: '1' });
    must(await call(sftp, 'realpath', '.'), 'no path');
    await end(it);
  });
}

module.exports = { dir, all, rekey, peer, peerOpenssh, password, at, userKey, legacy, ten };
if (require.main === module) {
  (async () => {
    const words = process.env.SUITES ? process.env.SUITES.split(' ') : null;
    const suites = legacy ? { c2 } : { c1, c2, c3, c5, ...require('./ssh2-client-forward'), ...require('./ssh2-client-sftp') };
    for (const name in suites) if (!words || words.includes(name)) await suites[name](module.exports);
    finish();
  })();
}
