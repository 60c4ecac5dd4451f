// ssh2-server.js BUILD DIRECTORY: npm ssh2 as the server of our client (tests/interop/client and forward-client), S1 to S6 and S8.
'use strict';
const fs = require('fs');
const net = require('net');
const path = require('path');
const { spawn } = require('child_process');
const { ssh2, test, same, must, finish, once, sleep, limit, md5, pattern } = require('./ssh2-lib');

const [build, dir] = process.argv.slice(2);
const file = (name) => path.join(dir, name);
const hostKeys = ['host_ed25519', 'host_ecdsa256', 'host_ecdsa384', 'host_ecdsa521', 'host_rsa'].map((name) => fs.readFileSync(file(name)));
const EVERYTHING = ['KexAlgorithms', 'Ciphers', 'MACs', 'HostKeyAlgorithms'].flatMap((name) => ['-o', `${name}=+*`]);
const LEGACY = process.execArgv.includes('--openssl-legacy-provider');

// A server for one case. `answers`: authentication(ctx, conn), exec(stream, command, conn, session), and so on by event.
async function serve(config, answers = {}) {
  const seen = { connections: [], methods: [] };
  const server = new ssh2.Server({ hostKeys, keepaliveInterval: 1e8, ...config }, (conn, info) => {
    seen.connections.push(conn);
    seen.ident = info.header.identRaw;
    conn.on('error', (error) => { seen.error = error; });
    conn.on('handshake', (names) => { seen.handshakes = (seen.handshakes || 0) + 1; seen.names = names; });
    conn.on('rekey', () => { seen.rekeys = (seen.rekeys || 0) + 1; });
    conn.on('authentication', (ctx) => {
      seen.methods.push(ctx.method + (ctx.method === 'publickey' ? (ctx.signature ? '!' : '?') : ''));
      if (answers.authentication) answers.authentication(ctx, conn);
      else if (ctx.method === 'password' && ctx.password === 'secret') ctx.accept();
      else ctx.reject(['password']);
    });
    for (const name of ['request', 'tcpip', 'openssh.streamlocal'])
      if (answers[name]) conn.on(name, (...words) => answers[name](conn, ...words));
    conn.on('ready', () => answers.ready && answers.ready(conn));
    conn.on('session', (accept) => {
      const session = accept();
      session.on('error', () => {});
      for (const name of ['env', 'pty', 'x11', 'signal', 'window-change', 'auth-agent'])
        session.on(name, (yes, no, told) => (answers[name] ? answers[name](yes, no, told, conn) : yes && yes()));
      session.on('exec', (yes, no, { command }) => {
        const stream = yes();
        stream.on('error', () => {});
        (answers.exec || programs)(stream, command, conn);
      });
    });
  });
  server.on('error', (error) => { seen.error = error; });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  seen.port = server.address().port;
  seen.server = server;
  servers.add(seen);
  return seen;
}
const servers = new Set();
function stop() {
  for (const { server, connections } of servers) {
    for (const conn of connections) conn.end();
    server.close();
  }
  servers.clear();
}
const one = (name, body, ms) => test(name, () => body().finally(stop), ms);

// What the servers run.
function programs(stream, command) {
  const [word, argument] = command.split(' ');
  const end = (status) => { stream.exit(status); stream.end(); };
  const run = {
    echo: () => { stream.on('end', () => end(0)); stream.on('data', (data) => { if (!stream.write(data)) { stream.pause(); stream.once('drain', () => stream.resume()); } }); },
    exit: () => end(Number(argument)),
    signal: () => { stream.exit(argument, false, 'fell'); stream.end(); },
    close: () => stream.close(),
    says: () => { stream.write(`${argument}\n`); stream.stderr.write('aside\n'); end(0); },
    // Nothing is read for a while: the window closes.
    slow: () => { let count = 0; stream.pause(); setTimeout(() => stream.resume(), 700);
      stream.on('data', (data) => { count += data.length; });
      stream.on('end', () => { stream.write(`${count}\n`); end(count === Number(argument) ? 0 : 1); }); },
    hangs: () => stream.write('up\n'),
  };
  run[word]();
}

// A program of ours until its end: its lines and status.
function start(program, words, options = {}) {
  const child = spawn(path.join(build, 'tests/interop', program), words,
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, SSH_AUTH_SOCK: '', ...options.env } });
  child.text = '';
  child.errors = '';
  child.stdout.on('data', (data) => { child.text += data; });
  child.stderr.on('data', (data) => { child.errors += data; });
  child.done = once(child, 'close', options.ms || 30000).then(([code, signal]) => {
    if (/Sanitizer|runtime error/.test(child.errors)) throw new Error(child.errors.slice(0, 1500));
    return { code: signal || code, lines: child.text.split('\n').filter(Boolean), errors: child.errors };
  }).finally(() => child.kill('SIGKILL'));
  child.done.catch(() => {});
  return child;
}
const client = async (seen, words, command = 'says hello', options = {}) =>
  (await start('client', ['-p', seen.port, ...words, options.target || 'somebody@127.0.0.1', command], options).done).lines;
const PASSWORD = ['-w', 'secret'];
const has = (lines, ...wanted) => { for (const line of wanted) must(lines.includes(line), `no "${line}" in ${JSON.stringify(lines)}`); };
async function until(what, condition) {
  for (let round = 0; round < 300; round++, await sleep(50)) if (condition()) return;
  throw new Error(`${what} does not come`);
}

// --- S1 ---

const KEX = ['curve25519-sha256@libssh.org', 'curve25519-sha256', 'ecdh-sha2-nistp256', 'ecdh-sha2-nistp384', 'ecdh-sha2-nistp521',
  'diffie-hellman-group14-sha256', 'diffie-hellman-group15-sha512', 'diffie-hellman-group16-sha512', 'diffie-hellman-group17-sha512',
  'diffie-hellman-group18-sha512', 'diffie-hellman-group14-sha1', 'diffie-hellman-group1-sha1'];
const HOST_KEYS = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'];
const CIPHERS = LEGACY ? ['blowfish-cbc', 'cast128-cbc', 'arcfour128', 'arcfour256'] : ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com', 'aes128-ctr', 'aes192-ctr', 'aes256-ctr', 'aes128-cbc', 'aes192-cbc', 'aes256-cbc', '3des-cbc'];
const MACS = ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha1-etm@openssh.com', 'hmac-sha2-256',
  'hmac-sha2-512', 'hmac-sha1', 'hmac-md5', 'hmac-sha2-256-96', 'hmac-sha2-512-96', 'hmac-sha1-96', 'hmac-md5-96',
  ...(LEGACY ? ['hmac-ripemd160'] : [])];

async function exchange(algorithms, len) {
  const seen = await serve({ algorithms });
  const lines = await client(seen, [...EVERYTHING, '-o', 'Compression=yes', ...PASSWORD, '-b', String(len)], 'echo');
  try {
    has(lines, `0 same ${len}`, '0 exit 0');
  } catch (error) {
    throw new Error(`${JSON.stringify(algorithms)}: ${error.message}`);
  }
  stop();
  return seen;
}
async function s1() {
  if (!LEGACY) {
    await one('S1 every key exchange', () => (async () => { for (const kex of KEX) await exchange({ kex: [kex] }, 1000); })());
    await one('S1 every host key', () => (async () => {
      for (const serverHostKey of HOST_KEYS) for (const kex of ['curve25519-sha256', 'ecdh-sha2-nistp521'])
        await exchange({ kex: [kex], serverHostKey: [serverHostKey] }, 1000);
    })());
    await one('S1 compression', () => (async () => { for (const compress of ['none', 'zlib@openssh.com', 'zlib']) await exchange({ compress: [compress] }, 3 << 20); })());
    await one('defect-11-group-exchange-that-the-server-has-not', async () => {
      // ssh2 offers it and disconnects: with another in common that one is taken, without one the reason is told.
      await exchange({ kex: ['diffie-hellman-group-exchange-sha256', 'ecdh-sha2-nistp256'] }, 10);
      const lines = await client(await serve({ algorithms: { kex: ['diffie-hellman-group-exchange-sha256'] } }), PASSWORD);
      must(lines.some((line) => /^closed.*: .*(key exchange|disconnect)/i.test(line)), JSON.stringify(lines));
    });
  }
  await one(`S1 every cipher${LEGACY ? ' of the past' : ''}`, () => (async () => {
    for (const cipher of CIPHERS) for (const hmac of /gcm|chacha/.test(cipher) ? [MACS[0]] : [MACS[0], MACS[3]])
      await exchange({ cipher: [cipher], hmac: [hmac] }, 2 << 20);
  })(), 60000);
  await one(`S1 every MAC${LEGACY ? ' with a cipher of the past' : ''}`, () => (async () => {
    for (const hmac of MACS) await exchange({ cipher: [LEGACY ? 'arcfour256' : 'aes128-ctr'], hmac: [hmac] }, 500000);
  })());
}

// --- S2 ---

async function s2() {
  const key = ssh2.utils.parseKey(fs.readFileSync(file('id_rsa.pub')));
  const good = (ctx) => ctx.key.data.equals(key.getPublicSSH()) && (!ctx.signature || key.verify(ctx.blob, ctx.signature, ctx.hashAlgo) === true);
  await one('S2 password', async () => {
    const seen = await serve({});
    has(await client(seen, ['-w', 'wrong', ...PASSWORD]), '0 out: hello', '0 err: aside', '0 exit 0');
    same(seen.methods, ['password', 'password']);
    must(seen.ident.startsWith('SSH-2.0-Lanyard_'), seen.ident);
  });
  await one('S2 a password is changed', async () => {
    const seen = await serve({}, { authentication: (ctx) => {
      if (ctx.method !== 'password') return ctx.reject(['password']);
      if (ctx.password === 'secret') return ctx.requestChange('It is too old.', (newer) => (newer === 'newer' ? ctx.accept() : ctx.reject()));
      return ctx.reject();
    } });
    has(await client(seen, [...PASSWORD, '-N', 'newer']), '0 exit 0');
  });
  await one('S2 two rounds of keyboard-interactive, then one of no prompts', async () => {
    const got = [];
    const seen = await serve({}, { authentication: (ctx) => {
      if (ctx.method !== 'keyboard-interactive') return ctx.reject(['keyboard-interactive']);
      ctx.prompt([{ prompt: 'a: ', echo: true }, { prompt: 'b: ', echo: false }], 'one', 'first', (answers) => {
        got.push(answers);
        ctx.prompt([{ prompt: 'c: ', echo: true }], 'two', (more) => {
          got.push(more);
          ctx.prompt([], (none) => { got.push(none); ctx.accept(); });
        });
      });
    } });
    const lines = await client(seen, ['-i', 'ja']);
    same(got, [['ja', 'ja'], ['ja'], []]);
    has(lines, 'asks one|first|a: |b:  hidden', 'asks two||c: ', '0 exit 0');
  });
  await one('S2 an RSA key, though PK_OK names ssh-rsa', async () => {
    const seen = await serve({}, { authentication: (ctx) => (ctx.method === 'publickey' && good(ctx) ? ctx.accept() : ctx.reject(['publickey'])) });
    const words = ['-F', 'none', '-p', seen.port, '-i', file('id_rsa'), '-o', 'IdentitiesOnly=yes', '-o', 'StrictHostKeyChecking=no',
      '-o', 'UserKnownHostsFile=none', '-o', 'GlobalKnownHostsFile=none', 'somebody@127.0.0.1', 'says hello'];
    const { code, lines, errors } = await start('connect', words).done; // in ssh(1)'s order, which asks first
    must(code === 0 && lines.includes('hello'), errors);
    same(seen.methods.slice(-2), ['publickey?', 'publickey!']);
  });
  await one('S2 a key at hand signs at once', async () => {
    const seen = await serve({}, { authentication: (ctx) => (ctx.method === 'publickey' && good(ctx) ? ctx.accept() : ctx.reject(['publickey'])) });
    has(await client(seen, ['-k', file('id_rsa')]), '0 exit 0');
    same(seen.methods, ['publickey!']);
  });
  await one('S2 hostbased', async () => {
    let told = null;
    const seen = await serve({}, { authentication: (ctx) => {
      if (ctx.method !== 'hostbased') return ctx.reject(['hostbased']);
      told = [ctx.localHostname, ctx.localUsername];
      return good(ctx) ? ctx.accept() : ctx.reject(['hostbased']);
    } });
    has(await client(seen, ['-H', file('id_rsa')]), '0 exit 0');
    same(told, ['here.example', 'me']);
  });
  await one('S2 partial success: a key, then a password', async () => {
    let first = false;
    const seen = await serve({}, { authentication: (ctx) => {
      if (ctx.method === 'publickey' && good(ctx)) {
        if (!ctx.signature) return ctx.accept();
        first = true;
        return ctx.reject(['password'], true);
      }
      return first && ctx.method === 'password' && ctx.password === 'secret' ? ctx.accept() : ctx.reject(first ? ['password'] : ['publickey']);
    } });
    has(await client(seen, ['-k', file('id_rsa'), ...PASSWORD]), 'next partial password', '0 exit 0');
  });
  await one('S2 a refusal that offers nothing', async () => {
    const seen = await serve({}, { authentication: (ctx) => ctx.reject([]) });
    const lines = await client(seen, PASSWORD);
    must(lines.some((line) => line.startsWith('closed for good: sign-in to ')), JSON.stringify(lines));
  });
}

// --- S3 ---

async function s3() {
  for (const ident of ['OpenSSH_5.3', 'OpenSSH_7.4', 'Cisco-1.25', '2.0', 'weird software with words', 'x'.repeat(200)])
    await one(`S3 a server that calls itself ${ident.slice(0, 30)}`, async () => {
      const lines = await client(await serve({ ident }), PASSWORD);
      has(lines, '0 out: hello', '0 exit 0');
      same(lines.includes("ready, OpenSSH's"), ident.startsWith('OpenSSH'), 'known as OpenSSH');
    });
  await one('defect-17-vendor-check-with-ssh2', async () => {
    // ssh2's own check takes any name with two digits in a row for OpenSSH's.
    for (const [ident, expected] of [['libssh_0.10.6', false], ['CSSH_0.12', false], ['OpenSSH_4.9', false], ['OpenSSH_10.1', true]])
      same((await client(await serve({ ident }), PASSWORD)).includes("ready, OpenSSH's"), expected, ident);
  });
  await one('S3 greeting lines and a banner', async () => {
    const seen = await serve({ greeting: 'Welcome.\r\nMore of it.', banner: 'Hello.' });
    has(await client(seen, PASSWORD), '0 exit 0');
  });
  await one('S3 an identification that ends in LF alone', async () => {
    const seen = await serve({});
    const proxy = net.createServer((socket) => {
      const far = net.connect(seen.port, '127.0.0.1');
      for (const end of [socket, far]) end.on('error', () => {});
      far.once('data', (data) => {
        const at = data.indexOf('\r\n');
        socket.write(Buffer.concat([data.subarray(0, at), data.subarray(at + 1)]));
        far.pipe(socket);
      });
      socket.pipe(far);
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    has(await client({ port: proxy.address().port }, PASSWORD), '0 exit 0');
    proxy.close();
  });
}

// --- S4 ---

async function s4() {
  await one('S4 200 programs at once', async () => {
    const lines = await client(await serve({}), [...PASSWORD, '-n', '200', '-b', '5000'], 'echo');
    same([lines.filter((line) => / same 5000$/.test(line)).length, lines.filter((line) => / exit 0$/.test(line)).length], [200, 200]);
  });
  await one('S4 50 MiB while the server does not read', async () => {
    const lines = await client(await serve({}), [...PASSWORD, '-b', String(50 << 20)], `slow ${50 << 20}`);
    has(lines, '0 exit 0');
  });
  await one('S4 how programs end', async () => {
    const seen = await serve({});
    has(await client(seen, PASSWORD, 'exit 4294967295'), '0 exit 4294967295');
    has(await client(seen, PASSWORD, 'signal SEGV'), '0 signal SEGV');
    has(await client(seen, PASSWORD, 'close'), '0 closed');
  });
  await one('S4 the server goes while a program runs', async () => {
    const seen = await serve({});
    const child = start('client', ['-p', seen.port, ...PASSWORD, 'somebody@127.0.0.1', 'hangs']);
    await until('the program', () => child.text.includes('0 out: up'));
    seen.connections[0]._sock.destroy();
    const { lines } = await child.done;
    must(lines.some((line) => line.startsWith('0 error: ')) && lines.some((line) => line.startsWith('closed: ')), JSON.stringify(lines));
  });
  await one('S4 sessions that are refused', async () => {
    const seen = await serve({}, { ready: (conn) => conn.removeAllListeners('session') });
    const lines = await client(seen, PASSWORD);
    must(lines.some((line) => /^0 error: the server refused to open a session/.test(line)), JSON.stringify(lines));
  });
}

// --- S5 ---

async function s5() {
  await one('S5 the server exchanges keys in the middle', async () => {
    const seen = await serve({}, { exec: (stream, command, conn) => {
      let count = 0, next = 1 << 20;
      stream.on('data', (data) => {
        count += data.length;
        if (count > next) {
          next = Infinity;
          conn.rekey(() => { next = count + (1 << 20); });
        }
        if (!stream.write(data)) { stream.pause(); stream.once('drain', () => stream.resume()); }
      });
      stream.on('end', () => { stream.exit(0); stream.end(); });
    } });
    has(await client(seen, [...PASSWORD, '-b', String(16 << 20)], 'echo'), `0 same ${16 << 20}`, '0 exit 0');
    must(seen.handshakes > 3 || seen.rekeys > 3, `${seen.handshakes} handshakes, ${seen.rekeys} rekeys`);
  });
  await one('S5 our client exchanges keys every MiB', async () => {
    const seen = await serve({});
    has(await client(seen, [...PASSWORD, '-o', 'RekeyLimit=1M', '-b', String(8 << 20)], 'echo'), `0 same ${8 << 20}`);
    must(seen.handshakes > 4 || seen.rekeys > 4, `${seen.handshakes} handshakes, ${seen.rekeys} rekeys`);
    const lines = await client(await serve({}), [...PASSWORD, '-R']);
    must(lines.some((line) => line.startsWith('keys anew by ')), JSON.stringify(lines));
  });
  await one('S5 keepalives of the server are answered', async () => {
    const seen = await serve({ keepaliveInterval: 50, keepaliveCountMax: 2 }, { exec: (stream) => setTimeout(() => { stream.exit(3); stream.end(); }, 1000) });
    has(await client(seen, PASSWORD), '0 exit 3');
    same(seen.error, undefined);
  });
}

// --- S6 ---

const forwards = (seen, words) => start('forward-client', ['-p', seen.port, '-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${file('known')}`,
  '-i', file('id_rsa'), '-o', 'User=somebody', ...words, '127.0.0.1']);
const anybody = (ctx) => (ctx.method === 'publickey' ? ctx.accept() : ctx.reject(['publickey']));
async function echoHere(where) {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket));
  server.listen(where);
  await once(server, 'listening');
  return server;
}
const data = pattern(2 << 20);
// With `whole`, the end of what is sent comes first: ssh2's own channels on a server cannot, they close at once.
async function echoes(duplex, whole = true) {
  const parts = [];
  let count = 0, enough;
  const came = new Promise((resolve) => { enough = resolve; });
  duplex.on('error', () => {});
  duplex.on('data', (part) => { parts.push(part); count += part.length; if (!whole && count >= data.length) enough(); });
  duplex.on('end', enough);
  if (whole) duplex.end(data);
  else duplex.write(data);
  await limit(came, 20000, 'the echo');
  same(md5(Buffer.concat(parts)), md5(data), 'the echo');
  duplex.end();
}
const back = (conn, method, ...words) => new Promise((resolve, reject) => conn[method](...words, (error, stream) => (error ? reject(error) : resolve(stream))));

async function s6() {
  await one('S6 -L to tcp and to a Unix socket', async () => {
    const seen = await serve({ ident: 'OpenSSH_9.9' }, { authentication: anybody,
      tcpip: (conn, accept, reject, info) => { if (info.destIP !== 'far.example') return reject(); const stream = accept(); stream.on('error', () => {}).pipe(stream); },
      'openssh.streamlocal': (conn, accept, reject, info) => { must(info.socketPath === '/far', info.socketPath); const stream = accept(); stream.on('error', () => {}).pipe(stream); } });
    const child = forwards(seen, ['-L', '127.0.0.1:0:far.example:80', '-L', '127.0.0.1:0:/far', '-L', '127.0.0.1:0:other.example:80']);
    await until('listening', () => (child.text.match(/listening/g) || []).length === 3).catch((error) => { throw new Error(`${error.message}: ${child.text} ${child.errors}`); });
    const [tcp, unix, other] = child.text.match(/listening -L \d+/g).map((line) => Number(line.split(' ')[2]));
    const at = (port) => net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await Promise.all([echoes(at(tcp)), echoes(at(tcp)), echoes(at(unix))]);
    const refused = at(other);
    refused.on('error', () => {});
    await limit(new Promise((resolve) => refused.on('close', resolve).resume().on('end', () => refused.end())), 10000, 'the refusal');
    child.kill();
    await child.done;
  });
  await one('S6 -R, the server answers in another order than it was asked', async () => {
    const target = await echoHere({ port: 0, host: '127.0.0.1' });
    const asked = [];
    let connection;
    const seen = await serve({ ident: 'OpenSSH_9.9' }, { authentication: anybody, request: (conn, accept, reject, name, info) => {
      connection = conn;
      asked.push([name, info, accept, reject]);
      if (asked.length === 4) { // last first: ssh2 keeps the order on the wire
        asked[3][3]();
        asked[2][2]();
        asked[1][2](4243);
        asked[0][2](4242);
      }
    } });
    const to = `127.0.0.1:${target.address().port}`;
    const child = forwards(seen, ['-R', `127.0.0.1:0:${to}`, '-R', `localhost:0:${to}`, '-R', `/far:${to}`, '-R', `127.0.0.1:77:${to}`]);
    await until('what it says', () => (child.text.match(/listening -R/g) || []).length === 3 && child.errors.includes('refused to listen'))
      .catch((error) => { throw new Error(`${error.message}: ${child.text} ${child.errors} ${asked.map(([name]) => name)}`); });
    same(child.text.match(/listening -R \S*/g).map((line) => line.split(' ')[2] || ''), ['4242', '4243', '0'], 'ports');
    same(asked.map(([name]) => name), ['tcpip-forward', 'tcpip-forward', 'streamlocal-forward@openssh.com', 'tcpip-forward']);
    for (const [address, port] of [[asked[0][1].bindAddr, 4242], [asked[1][1].bindAddr, 4243]])
      await echoes(await back(connection, 'forwardOut', address, port, '192.0.2.1', 5), false);
    await echoes(await back(connection, 'openssh_forwardOutStreamLocal', '/far'), false);
    const why = await back(connection, 'forwardOut', '127.0.0.1', 9999, '192.0.2.1', 5).catch((error) => error);
    must(why instanceof Error, 'a forward that nobody asked for is taken');
    child.kill();
    await child.done;
    target.close();
  });
  await one('S6 x11 channels that nobody asked for are refused', async () => {
    let why = null;
    const seen = await serve({}, { exec: async (stream, command, conn) => {
      why = await back(conn, 'x11', '192.0.2.1', 5).catch((error) => error);
      stream.exit(0);
      stream.end();
    } });
    has(await client(seen, PASSWORD), '0 exit 0');
    must(why instanceof Error, 'it is taken');
  });
}

// --- S8: AgentProtocol as an agent that misbehaves ---

async function s8() {
  const own = ssh2.utils.parseKey(fs.readFileSync(file('id_rsa')));
  const agents = {
    'that is slow': [true, (agent) => {
      agent.on('identities', (request) => setTimeout(() => agent.getIdentitiesReply(request, [own]), 500));
      agent.on('sign', (request, key, message, options) => setTimeout(() => agent.signReply(request, own.sign(message, options.hash)), 500));
    }],
    'that has nothing': [false, (agent) => agent.on('identities', (request) => agent.getIdentitiesReply(request, []))],
    'that fails to list': [false, (agent) => agent.on('identities', (request) => agent.failureReply(request))],
    'that fails to sign': [false, (agent) => {
      agent.on('identities', (request) => agent.getIdentitiesReply(request, [own]));
      agent.on('sign', (request) => agent.failureReply(request));
    }],
    'that signs something else': [false, (agent) => {
      agent.on('identities', (request) => agent.getIdentitiesReply(request, [own]));
      agent.on('sign', (request, key, message, options) => agent.signReply(request, own.sign(Buffer.from('else'), options.hash)));
    }],
    'that answers garbage': [false, null, (socket) => socket.on('data', () => socket.write(Buffer.from('0000000affffffffffffffffffff', 'hex')))],
    'that claims 4 GiB': [false, null, (socket) => socket.on('data', () => socket.write(Buffer.from('ffffffff0c', 'hex')))],
    'that stops in the middle': [false, null, (socket) => socket.on('data', () => socket.end(Buffer.from('000000400c000000', 'hex')))],
    'that hangs up': [false, null, (socket) => socket.once('data', () => socket.destroy())],
  };
  for (const name in agents)
    await one(`S8 an agent ${name}`, async () => {
      const [works, answer, raw] = agents[name];
      const where = file(`agent-${Object.keys(agents).indexOf(name)}`);
      const listener = net.createServer((socket) => {
        socket.on('error', () => {});
        if (raw) return raw(socket);
        const agent = new ssh2.AgentProtocol(false);
        agent.on('error', () => {});
        answer(agent);
        agent.pipe(socket);
        // AgentProtocol loses its place at a message that it does not know, such as session-bind@openssh.com.
        let held = Buffer.alloc(0);
        socket.on('data', (part) => {
          held = Buffer.concat([held, part]);
          while (held.length >= 5 && held.length >= 4 + held.readUInt32BE(0)) {
            const message = held.subarray(0, 4 + held.readUInt32BE(0));
            held = held.subarray(message.length);
            if (message[4] === 27) socket.write(Buffer.from([0, 0, 0, 1, 5]));
            else agent.write(message);
          }
        });
      });
      listener.listen(where);
      await once(listener, 'listening');
      const seen = await serve({}, { authentication: (ctx) => {
        if (ctx.method === 'password' && ctx.password === 'secret') return ctx.accept();
        const fine = ctx.method === 'publickey' && (!ctx.signature || own.verify(ctx.blob, ctx.signature, ctx.hashAlgo) === true);
        return fine ? ctx.accept() : ctx.reject(['publickey', 'password']);
      } });
      // What the agent cannot do the password does.
      const lines = await client(seen, ['-A', ...PASSWORD], 'says hello', { env: { SSH_AUTH_SOCK: where } });
      has(lines, '0 out: hello', '0 exit 0');
      same(seen.methods[seen.methods.length - 1], works ? 'publickey!' : 'password', `${lines.join(' / ')}: the method`);
      listener.close();
    });
}

(async () => {
  const words = process.env.SUITES ? process.env.SUITES.split(' ') : null;
  const suites = LEGACY ? { s1 } : { s1, s2, s3, s4, s5, s6, s8 };
  for (const name in suites) if (!words || words.includes(name)) await suites[name]();
  finish();
})();
