// sftp-ssh2.js SSH2 HOST-KEY DIRECTORY: npm ssh2's SFTP server over a directory, on a free port of 127.0.0.1 (printed). The first
// component of a path says how it behaves: short (READ gives 1 to n bytes), late (replies delayed, in any order), die (the
// socket is destroyed at the 8th READ or WRITE), plain. STATUS goes without a text, and there are no extensions.
'use strict';
const fs = require('fs');
const path = require('path');
const [, , module_path, key, directory] = process.argv;
const { Server } = require(module_path);
const { STATUS_CODE, OPEN_MODE } = require(module_path).utils.sftp;

const status_of = (error) => error.code === 'ENOENT' ? STATUS_CODE.NO_SUCH_FILE
  : error.code === 'EACCES' ? STATUS_CODE.PERMISSION_DENIED : STATUS_CODE.FAILURE;
const attrs_of = (s) => ({ mode: s.mode, uid: s.uid, gid: s.gid, size: s.size, atime: s.atimeMs / 1000 | 0, mtime: s.mtimeMs / 1000 | 0 });

function serve(sftp, socket) {
  const handles = new Map();
  let next = 0, transfers = 0;
  const split = (name) => {
    const parts = path.posix.normalize('/' + name).split('/');
    return { kind: parts[1], file: path.join(directory, ...parts.slice(2)) };
  };
  const reply = (kind, send) => kind === 'late' ? setTimeout(send, Math.random() * 8) : send();
  const answer = (id, kind, error) => reply(kind, () => sftp.status(id, error ? status_of(error) : STATUS_CODE.OK));
  const add = (id, value) => {
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(next, 0);
    handles.set(next++, value);
    sftp.handle(id, handle);
  };
  const get = (handle) => handles.get(handle.readUInt32BE(0));
  const dies = (open) => open.kind === 'die' && ++transfers === 8 && (socket.destroy(), true);
  const on_path = (event, call) => sftp.on(event, (id, name) => {
    const { kind, file } = split(name);
    call(file, (error) => answer(id, kind, error));
  });

  sftp.on('error', () => {});
  sftp.on('end', () => sftp.end());
  sftp.on('OPEN', (id, name, flags, attrs) => {
    const { kind, file } = split(name);
    const write = flags & OPEN_MODE.WRITE;
    const mode = (write ? fs.constants.O_RDWR : fs.constants.O_RDONLY) | (flags & OPEN_MODE.CREAT ? fs.constants.O_CREAT : 0) |
      (flags & OPEN_MODE.TRUNC ? fs.constants.O_TRUNC : 0) | (flags & OPEN_MODE.EXCL ? fs.constants.O_EXCL : 0);
    fs.open(file, mode, attrs.mode === undefined ? 0o644 : attrs.mode & 0o777, (error, fd) =>
      error ? sftp.status(id, status_of(error)) : add(id, { kind, fd }));
  });
  sftp.on('READ', (id, handle, offset, len) => {
    const open = get(handle);
    if (dies(open)) return;
    const want = open.kind === 'short' ? 1 + Math.floor(Math.random() * len) : len;
    const buffer = Buffer.alloc(want);
    fs.read(open.fd, buffer, 0, want, offset, (error, count) => reply(open.kind, () => error ? sftp.status(id, status_of(error))
      : count ? sftp.data(id, buffer.slice(0, count)) : sftp.status(id, STATUS_CODE.EOF)));
  });
  sftp.on('WRITE', (id, handle, offset, data) => {
    const open = get(handle);
    if (dies(open)) return;
    fs.write(open.fd, data, 0, data.length, offset, (error) => answer(id, open.kind, error));
  });
  sftp.on('FSTAT', (id, handle) => fs.fstat(get(handle).fd, (error, s) => error ? sftp.status(id, status_of(error)) : sftp.attrs(id, attrs_of(s))));
  sftp.on('FSETSTAT', (id, handle, attrs) => {
    const { kind, fd } = get(handle);
    if (attrs.mode !== undefined) fs.fchmodSync(fd, attrs.mode & 0o7777);
    if (attrs.mtime !== undefined) fs.futimesSync(fd, attrs.atime, attrs.mtime);
    answer(id, kind);
  });
  sftp.on('SETSTAT', (id, name, attrs) => {
    const { kind, file } = split(name);
    if (attrs.mode !== undefined) fs.chmodSync(file, attrs.mode & 0o7777);
    if (attrs.mtime !== undefined) fs.utimesSync(file, attrs.atime, attrs.mtime);
    answer(id, kind);
  });
  for (const [event, stat] of [['STAT', fs.stat], ['LSTAT', fs.lstat]]) {
    sftp.on(event, (id, name) => {
      const { kind, file } = split(name);
      stat(file, (error, s) => reply(kind, () => error ? sftp.status(id, status_of(error)) : sftp.attrs(id, attrs_of(s))));
    });
  }
  sftp.on('CLOSE', (id, handle) => {
    const open = get(handle);
    handles.delete(handle.readUInt32BE(0));
    if (open.fd !== undefined) fs.closeSync(open.fd);
    answer(id, open.kind);
  });
  sftp.on('OPENDIR', (id, name) => {
    const { kind, file } = split(name);
    fs.readdir(file, (error, names) => error ? sftp.status(id, status_of(error)) : add(id, { kind, file, names: ['.', '..', ...names] }));
  });
  sftp.on('READDIR', (id, handle) => {
    const open = get(handle);
    const some = open.names.splice(0, 100);
    if (!some.length) return sftp.status(id, STATUS_CODE.EOF);
    reply(open.kind, () => sftp.name(id, some.map((name) =>
      ({ filename: name, longname: name, attrs: attrs_of(fs.lstatSync(path.join(open.file, name))) }))));
  });
  on_path('REMOVE', fs.unlink);
  on_path('RMDIR', fs.rmdir);
  on_path('MKDIR', fs.mkdir);
  sftp.on('READLINK', (id, name) => fs.readlink(split(name).file, (error, text) =>
    error ? sftp.status(id, status_of(error)) : sftp.name(id, [{ filename: text, longname: text, attrs: {} }])));
  sftp.on('SYMLINK', (id, link, target) => fs.symlink(target, split(link).file, (error) => answer(id, 'plain', error)));
}

new Server({ hostKeys: [fs.readFileSync(key)] }, (client, info) => {
  const socket = client._sock;
  client.on('error', () => {});
  client.on('authentication', (context) => context.accept());
  client.on('ready', () => client.on('session', (accept) => accept().on('sftp', (accept_sftp) => serve(accept_sftp(), socket))));
}).listen(0, '127.0.0.1', function () { console.log(`listening on 127.0.0.1:${this.address().port}`); });
