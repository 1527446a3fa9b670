// A TCP proxy as a process of its own: `node slow-link.mjs <host> <port> <ms each way>`. Says its port.
import { connect, createServer } from 'node:net';

const [host, port, ms] = process.argv.slice(2);

const server = createServer({ noDelay: true }, (near) => {
  const far = connect({ host, port: Number(port), noDelay: true });
  carry(near, far);
  carry(far, near);
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.on('disconnect', () => process.exit());

function carry(from, to) {
  const later = (act) => setTimeout(() => to.destroyed || act(), Number(ms));
  from.on('data', (chunk) => later(() => to.write(chunk)));
  from.on('end', () => later(() => to.end()));
  from.on('error', () => to.destroy());
  from.on('close', () => later(() => to.destroy()));
}
