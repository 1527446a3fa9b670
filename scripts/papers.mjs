// Lends the workspace's README and LICENSE to the library while it is packed.
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

const PAPERS = ['README.md', 'LICENSE'];
const root = join(import.meta.dirname, '..');
const library = join(root, 'libs/timeouts');

const lend = (paper) => copyFile(join(root, paper), join(library, paper));
const takeBack = (paper) => rm(join(library, paper), { force: true });

await Promise.all(PAPERS.map(process.argv[2] === 'lend' ? lend : takeBack));
