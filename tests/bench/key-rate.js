// key-rate.js SSH2 FILE SECONDS: how many times a second npm ssh2 parses the file's key. One number on stdout.
const fs = require('fs');
const [, , module_, file, seconds] = process.argv;
const { parseKey } = require(module_).utils;
const text = fs.readFileSync(file);
const limit = BigInt(Math.round(Number(seconds) * 1e9));
let count = 0;
let elapsed = 0n;
const start = process.hrtime.bigint();
while (elapsed < limit) {
  for (let i = 0; i < 100; i++, count++) {
    const key = parseKey(text);
    if (key instanceof Error) throw key;
  }
  elapsed = process.hrtime.bigint() - start;
}
console.log(Math.round(count / (Number(elapsed) / 1e9)));
