// npm ssh2 as a peer of key-formats.py: JSON requests on stdin, one a line, JSON answers on stdout.
const readline = require('readline');
const fs = require('fs');
const { utils } = require(process.argv[2]);

const operations = {
  parse({ file, passphrase }) {
    const key = load(file, passphrase);
    return { blob: key.getPublicSSH().toString('hex'), private: key.isPrivateKey(), comment: key.comment };
  },
  sign({ file, data, hash }) {
    return { signature: load(file).sign(Buffer.from(data, 'hex'), hash).toString('hex') };
  },
  verify({ file, data, signature, hash }) {
    return { good: load(file).verify(Buffer.from(data, 'hex'), Buffer.from(signature, 'hex'), hash) === true };
  },
  generate({ type, options, file }) {
    const pair = utils.generateKeyPairSync(type, options);
    fs.writeFileSync(file, pair.private, { mode: 0o600 });
    return { public: pair.public };
  },
};

function load(file, passphrase) {
  let key = utils.parseKey(fs.readFileSync(file), passphrase);
  if (Array.isArray(key)) key = key[0];
  if (key instanceof Error) throw key;
  return key;
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  let answer;
  try {
    const request = JSON.parse(line);
    answer = operations[request.op](request);
  } catch (error) {
    answer = { error: error.message };
  }
  console.log(JSON.stringify(answer));
});
