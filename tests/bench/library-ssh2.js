// library-ssh2.js SSH2 HOME PORT WORK ...: the works of library-client.c and library-server.c with npm ssh2.
'use strict';
const fs = require('fs');
const net = require('net');
const [, , path, home, port, work, ...words] = process.argv;
const { Client, Server, utils } = require(path);
const cipher = 'aes128-gcm@openssh.com';
const key = fs.readFileSync(`${home}/user`);
let began = process.hrtime.bigint();
const begin = () => { began = process.hrtime.bigint(); };
const finish = () => { console.log(Number(process.hrtime.bigint() - began) / 1e9); process.exit(0); };
const check = (error) => { if (error) { console.error(error); process.exit(1); } };

function connect(options, ready) {
  const client = new Client();
  client.on('ready', () => ready(client)).on('error', check).on('connect', () => client.setNoDelay(true));
  client.connect({ host: '127.0.0.1', port: Number(port), username: process.env.BENCH_USER, privateKey: key,
    algorithms: { cipher: [cipher], kex: ['curve25519-sha256'] }, ...options });
  return client;
}

function serve() {
  const allowed = utils.parseKey(fs.readFileSync(`${home}/authorized_keys`));
  const server = new Server({ hostKeys: [fs.readFileSync(`${home}/host`)] }, (client) => {
    client.on('error', () => {});
    client.setNoDelay(true);
    client.on('authentication', (context) => {
      if (work === 'pair')
        context.accept();
      else if (context.method !== 'publickey' || !allowed.getPublicSSH().equals(context.key.data))
        context.reject(['publickey']);
      else if (!context.signature || allowed.verify(context.blob, context.signature, context.hashAlgo) === true)
        context.accept();
      else
        context.reject(['publickey']);
    });
    client.on('session', (accept) => {
      accept().on('exec', (accepted) => {
        const channel = accepted();
        channel.exit(0);
        channel.end();
      });
    });
  });
  return server;
}

const works = {
  'sign-in'(kex, count) {
    const next = () => {
      if (count-- == 0)
        return finish();
      connect({ algorithms: { cipher: [cipher], kex: [kex] } }, (client) => {
        client.once('close', next);
        client.end();
      });
    };
    next();
  },
  pair(kex, count) {
    const server = serve();
    server.listen(0, '127.0.0.1', () => {
      const next = () => {
        if (count-- == 0)
          return finish();
        connect({ port: server.address().port, privateKey: undefined, authHandler: ['none'], algorithms: { cipher: [cipher], kex: [kex] } },
          (client) => {
            client.once('close', next);
            client.end();
          });
      };
      begin();
      next();
    });
  },
  get(remote, local) {
    connect({}, (client) => { begin(); client.sftp((error, sftp) => { check(error); sftp.fastGet(remote, local, (failed) => { check(failed); finish(); }); }); });
  },
  put(local, remote) {
    connect({}, (client) => { begin(); client.sftp((error, sftp) => { check(error); sftp.fastPut(local, remote, (failed) => { check(failed); finish(); }); }); });
  },
  exec(command) {
    connect({}, (client) => {
      begin();
      client.exec(command, (error, channel) => {
        check(error);
        channel.on('data', () => {}).on('close', (status) => { check(status === 0 ? null : status); finish(); });
        channel.stderr.resume();
      });
    });
  },
  forward(target) {
    connect({}, (client) => {
      const listener = net.createServer((socket) => {
        client.forwardOut('127.0.0.1', socket.remotePort, '127.0.0.1', Number(target), (error, channel) => {
          check(error);
          socket.pipe(channel).pipe(socket);
        });
      });
      listener.listen(0, '127.0.0.1', () => console.log(listener.address().port));
      process.stdin.on('end', () => process.exit(0)).resume();
    });
  },
  channels(count, atOnce) {
    connect({}, (client) => {
      let begun = 0;
      let done = 0;
      const next = () => {
        if (begun == count)
          return;
        begun++;
        client.exec('true', (error, channel) => {
          check(error);
          channel.on('data', () => {}).on('close', (status) => {
            check(status === 0 ? null : `status ${status}`);
            if (++done == count)
              finish();
            next();
          });
          channel.stderr.resume();
        });
      };
      begin();
      for (let i = 0; i < atOnce; i++)
        next();
    });
  },
  serve() {
    const server = serve();
    server.listen(0, '127.0.0.1', () => console.log(server.address().port));
    process.stdin.on('end', () => process.exit(0)).resume();
  },
};
works[work](...words.map((word) => /^\d+$/.test(word) ? Number(word) : word));
