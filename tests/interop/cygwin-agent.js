// cygwin-agent.js SSH2 FILE COUNT: npm ssh2's CygwinAgent, which exists on Windows only, here: COUNT at once list the keys behind FILE
// and sign with the first one. Prints "TYPE BASE64" of each key and "signatures N".
Object.defineProperty(process, 'platform', { value: 'win32' });
const { createAgent, utils } = require(process.argv[2]);
Object.defineProperty(process, 'platform', { value: 'linux' });

const [, , , file, count] = process.argv;
const data = Buffer.from('something to sign');

function one(agent) {
  return new Promise((resolve, reject) => {
    agent.getIdentities((error, keys) => {
      if (error) return reject(error);
      agent.sign(keys[0], data, {}, (failed, signature) => {
        if (failed) return reject(failed);
        const key = utils.parseKey(keys[0].type ? `${keys[0].type} ${keys[0].getPublicSSH().toString('base64')}` : keys[0]);
        if (key instanceof Error) return reject(key);
        resolve({ keys, good: key.verify(data, signature) === true });
      });
    });
  });
}

Object.defineProperty(process, 'platform', { value: 'win32' });
const agents = Array.from({ length: Number(count) }, () => createAgent(file));
Object.defineProperty(process, 'platform', { value: 'linux' });
Promise.all(agents.map(one)).then((results) => {
  for (const key of results[0].keys) console.log(`${key.type} ${key.getPublicSSH().toString('base64')}`);
  console.log(`${agents[0].constructor.name} signatures ${results.filter((result) => result.good).length}`);
}, (error) => {
  console.log(`error ${error.message}`);
  process.exit(1);
});
