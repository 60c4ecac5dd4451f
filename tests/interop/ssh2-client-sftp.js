// C9 and C10: SFTP by ssh2 and by ssh2-sftp-client. Run by ssh2-client.js.
'use strict';
const fs = require('fs');
const path = require('path');
const SftpClient = require('../node_modules/ssh2-sftp-client');
const { test, same, must, call, md5, limit, connect, end } = require('./ssh2-lib');

const gathered = (stream) => limit(new Promise((resolve, reject) => {
  const parts = [];
  stream.on('data', (part) => parts.push(part));
  stream.on('error', reject);
  stream.on('end', () => resolve(Buffer.concat(parts)));
}), 30000, 'reading');
const written = (stream, data) => limit(new Promise((resolve, reject) => {
  stream.on('error', reject);
  stream.on('close', resolve);
  for (let at = 0; at < data.length; at += 100000) stream.write(data.subarray(at, at + 100000));
  stream.end();
}), 30000, 'writing');
const fails = async (code, promise) => {
  const why = await promise.then(() => null, (error) => error);
  must(why, 'it succeeds');
  same(why.code, code, 'the status');
};

async function c9({ dir, all, peer, peerOpenssh, at, ten }) {
  const top = path.join(dir, 'c9');
  const one = (name, body, port = all, more = {}) => test(name, async () => {
    fs.rmSync(top, { recursive: true, force: true });
    fs.mkdirSync(top);
    const client = await connect(at(port, more));
    const sftp = await call(client, 'sftp');
    sftp.on('error', () => {});
    await body((...words) => call(sftp, ...words), (name) => path.join(top, name), sftp);
    await end(client);
  });

  await one('C9 handles: open, read, write, and the f requests', async (ask, at) => {
    const handle = await ask('open', at('file'), 'w+', 0o640);
    const data = ten.subarray(0, 100000);
    await ask('write', handle, data, 0, data.length, 0);
    const back = Buffer.alloc(data.length);
    same(await ask('read', handle, back, 0, back.length, 0), data.length);
    same(md5(back), md5(data));
    same(await ask('read', handle, back, 0, 10, 1 << 20), 0, 'behind the end');
    await ask('fchmod', handle, 0o600);
    await ask('futimes', handle, 1000000000, 1100000000);
    await ask('fchown', handle, process.getuid(), process.getgid());
    await ask('fsetstat', handle, { size: 50000 });
    const stat = await ask('fstat', handle);
    same([stat.size, stat.mode & 0o7777, stat.uid, stat.isFile()], [50000, 0o600, process.getuid(), true]);
    await ask('futimes', handle, 1000000000, 1100000000);
    const { mtime, atime } = await ask('fstat', handle);
    same([atime, mtime], [1000000000, 1100000000]);
    await ask('ext_openssh_fsync', handle);
    same((await ask('ext_openssh_fstatvfs', handle)).f_bsize > 0, true);
    await ask('close', handle);
    await fails(4, ask('close', handle));
  });
  await one('C9 open flags', async (ask, at) => {
    await fails(2, ask('open', at('none'), 'r'));
    await ask('close', await ask('open', at('new'), 'wx'));
    await fails(4, ask('open', at('new'), 'wx'));
    await ask('writeFile', at('new'), 'one');
    await ask('appendFile', at('new'), ' two');
    same((await ask('readFile', at('new'))).toString(), 'one two');
  });
  await one('defect-03-mode-of-streams-with-ssh2', async (ask, at, sftp) => {
    // ssh2 itself widens to 0666 (FSETSTAT); our server does what it is asked, and 0600 stays where the client asks for it.
    await written(sftp.createWriteStream(at('file'), { mode: 0o600 }), ten);
    same(fs.statSync(at('file')).mode & 0o777, 0o600);
    same(md5(fs.readFileSync(at('file'))), md5(ten));
    same(md5(await gathered(sftp.createReadStream(at('file')))), md5(ten));
    same((await gathered(sftp.createReadStream(at('file'), { start: 100, end: 199 }))).equals(ten.subarray(100, 200)), true);
  });
  await one('C9 paths: stat, lstat, setstat, rename, remove, directories, links', async (ask, at) => {
    await ask('mkdir', at('d'), { mode: 0o750 });
    same(fs.statSync(at('d')).mode & 0o777, 0o750);
    await fails(4, ask('mkdir', at('d')));
    await ask('writeFile', at('d/a'), 'text');
    await ask('rename', at('d/a'), at('d/b'));
    await ask('writeFile', at('d/a'), 'other');
    await fails(4, ask('rename', at('d/a'), at('d/b')));
    await ask('ext_openssh_rename', at('d/a'), at('d/b'));
    same(fs.readFileSync(at('d/b'), 'utf8'), 'other');
    await ask('symlink', 'b', at('d/l'));
    same([fs.readlinkSync(at('d/l')), await ask('readlink', at('d/l'))], ['b', 'b']);
    same([(await ask('lstat', at('d/l'))).isSymbolicLink(), (await ask('stat', at('d/l'))).isFile()], [true, true]);
    await ask('ext_openssh_hardlink', at('d/b'), at('d/h'));
    same(fs.statSync(at('d/h')).nlink, 2);
    await ask('chmod', at('d/b'), 0o604);
    await ask('utimes', at('d/b'), 1, 2);
    await ask('chown', at('d/b'), process.getuid(), process.getgid());
    await ask('setstat', at('d/b'), { size: 2 });
    same([fs.statSync(at('d/b')).mode & 0o777, fs.readFileSync(at('d/b'), 'utf8')], [0o604, 'ot']);
    await ask('ext_openssh_lsetstat', at('d/l'), { atime: 5, mtime: 6 });
    same([fs.lstatSync(at('d/l')).mtimeMs, fs.statSync(at('d/b')).mtimeMs === 6000], [6000, false]);
    same(await ask('realpath', at('d/../d/./b')), at('d/b'));
    same(await new Promise((resolve) => ask('exists', at('d/b')).then(() => resolve(false), (yes) => resolve(yes))), true);
    same((await ask('ext_openssh_statvfs', at('d'))).f_namemax > 0, true);
    await fails(4, ask('rmdir', at('d')));
    for (const name of ['b', 'h', 'l']) await ask('unlink', at(`d/${name}`));
    await ask('rmdir', at('d'));
    await fails(2, ask('stat', at('d')));
    must((await ask('ext_home_dir', 'root')).startsWith('/'), 'no home');
  });
  await one('C9 copy-data', async (ask, at) => {
    await ask('writeFile', at('a'), ten.subarray(0, 1 << 20));
    const [from, to] = [await ask('open', at('a'), 'r'), await ask('open', at('b'), 'w')];
    await ask('ext_copy_data', from, 1000, 0, to, 10);
    await Promise.all([ask('close', from), ask('close', to)]);
    same(fs.readFileSync(at('b')).subarray(10).equals(ten.subarray(1000, 1 << 20)), true);
  });
  await one('C9 10000 entries', async (ask, at) => {
    for (let n = 0; n < 10000; n++) fs.writeFileSync(at(`entry-${n}`), '');
    const list = await ask('readdir', top);
    same([list.length, new Set(list.map((entry) => entry.filename)).size], [10000, 10000]);
    must(list[0].longname.includes(list[0].filename) && list[0].attrs.isFile(), list[0].longname);
    same((await ask('readdir', top, { full: true })).length, 10002);
    const handle = await ask('opendir', top);
    let count = 0;
    for (let part; (part = await ask('readdir', handle).catch((error) => { same(error.code, 1); return null; }));) count += part.length;
    same(count, 10000, 'by handle');
    await ask('close', handle);
  });
  await one('defect-04-file-without-size-with-ssh2', async (ask) => {
    const cpus = await ask('readFile', '/proc/cpuinfo');
    same(cpus.length > 100, true, 'its length');
  });
  await one('defect-22-large-offsets-with-ssh2', async (ask, at) => {
    const handle = await ask('open', at('sparse'), 'w+');
    const far = 5 * 2 ** 32 + 7;
    await ask('write', handle, Buffer.from('far'), 0, 3, far);
    const back = Buffer.alloc(3);
    same(await ask('read', handle, back, 0, 3, far), 3);
    same([back.toString(), (await ask('fstat', handle)).size, fs.statSync(at('sparse')).size], ['far', far + 3, far + 3]);
    await ask('close', handle);
  });
  await one('C9 fastGet and fastPut', async (ask, at) => {
    fs.writeFileSync(at('here'), ten);
    let steps = 0;
    await ask('fastPut', at('here'), at('there'), { step: () => steps++ });
    await ask('fastGet', at('there'), at('back'), { concurrency: 16, chunkSize: 10000 });
    same([md5(fs.readFileSync(at('there'))), md5(fs.readFileSync(at('back')))], [md5(ten), md5(ten)]);
    must(steps > 10, 'no steps');
  });
  await one('C9 limits@openssh.com is believed', async (ask, at, sftp) => {
    must(sftp._maxReadLen > 200000 && sftp._maxWriteLen > 200000, `${sftp._maxReadLen}, ${sftp._maxWriteLen}`);
  });
  // An application's SFTP server without any extension, and the order of SYMLINK's paths under both names.
  await one('C9 a server without extensions', async (ask, at, sftp) => {
    same(Object.keys(sftp._extensions), []);
    fs.writeFileSync(at('here'), ten);
    await ask('fastPut', at('here'), at('there'));
    await ask('fastGet', at('there'), at('back'));
    same(md5(fs.readFileSync(at('back'))), md5(ten));
  }, peer, { username: 'plain' });
  for (const [name, port] of [['its own', peer], ['OpenSSH\'s', peerOpenssh]])
    await one(`C9 symlink to a server under ${name} name`, async (ask, at) => {
      await ask('symlink', 'target', at('link'));
      same(fs.readlinkSync(at('link')), 'target');
    }, port);
}

async function c10({ dir, all, ten }) {
  const there = path.join(dir, 'c10-there'), here = path.join(dir, 'c10-here');
  const data = ten.subarray(0, 3 << 20);
  const one = (name, body) => test(name, async () => {
    for (const top of [there, here]) {
      fs.rmSync(top, { recursive: true, force: true });
      fs.mkdirSync(top);
    }
    const client = new SftpClient('c10');
    client.on('error', () => {});
    await client.connect({ host: '127.0.0.1', port: all, username: 'somebody', password: 'secret', readyTimeout: 60000 });
    try {
      await body(client, (name) => path.join(there, name), (name) => path.join(here, name));
    } finally {
      await client.end();
    }
  });
  await one('C10 put, get, append, list', async (client, at, local) => {
    await client.put(data, at('a'));
    same(md5(await client.get(at('a'))), md5(data));
    await client.append(Buffer.from('more'), at('a'));
    same(fs.readFileSync(at('a')).subarray(-4).toString(), 'more');
    await client.get(at('a'), local('a'));
    await client.fastPut(local('a'), at('b'));
    await client.fastGet(at('b'), local('b'));
    same(md5(fs.readFileSync(local('b'))), md5(Buffer.concat([data, Buffer.from('more')])));
    same((await client.list(there)).map(({ name, type, size }) => [name, type, size]).sort(),
      [['a', '-', data.length + 4], ['b', '-', data.length + 4]]);
    same(md5(await gathered(client.createReadStream(at('b')))), md5(fs.readFileSync(local('b'))));
    await written(client.createWriteStream(at('c')), data);
    same(md5(fs.readFileSync(at('c'))), md5(data));
  });
  await one('C10 exists, stat, rename, chmod, delete, paths', async (client, at) => {
    same(await client.exists(at('x')), false);
    await client.put(Buffer.from('x'), at('x'));
    await client.mkdir(at('deep/er/still'), true);
    same([await client.exists(at('x')), await client.exists(at('deep'))], ['-', 'd']);
    await client.chmod(at('x'), 0o600);
    const stat = await client.stat(at('x'));
    same([stat.mode & 0o777, stat.size, stat.isFile], [0o600, 1, true]);
    await client.rename(at('x'), at('deep/x'));
    await client.posixRename(at('deep/x'), at('y'));
    same(await client.realPath(at('deep/../y')), at('y'));
    must((await client.cwd()).startsWith('/'), 'no directory');
    await client.rcopy(at('y'), at('z'));
    same(fs.readFileSync(at('z'), 'utf8'), 'x');
    await client.delete(at('y'));
    await client.delete(at('y'), true);
    const why = await client.stat(at('y')).catch((error) => error);
    same(why.code, 'ENOENT');
    await client.rmdir(at('deep'), true);
    same(fs.existsSync(at('deep')), false);
  });
  await one('C10 uploadDir, downloadDir', async (client, at, local) => {
    fs.mkdirSync(local('tree/a/b'), { recursive: true });
    for (let n = 0; n < 100; n++) fs.writeFileSync(local(`tree/a/${n % 2 ? 'b/' : ''}${n}`), data.subarray(0, n * 1000));
    await client.uploadDir(local('tree'), at('up'));
    await client.downloadDir(at('up'), local('down'));
    for (const name of ['a/0', 'a/b/1', 'a/98', 'a/b/99'])
      same(md5(fs.readFileSync(local(`down/${name}`))), md5(fs.readFileSync(local(`tree/${name}`))), name);
    same(fs.readdirSync(local('down/a/b')).length, 50);
  });
}

module.exports = { c9, c10 };
