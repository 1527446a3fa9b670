import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

const PAPERS = ['LICENSE', 'README.md', 'package.json'];

/** What an installed package has too much or too little. */
export async function packageFaults(folder, sources) {
  const files = await filesIn(folder);
  const manifest = await readJson(join(folder, 'package.json'));
  const targets = Object.values(manifest.exports).flatMap(pathsOf);
  const required = [...PAPERS, ...targets.map((target) => target.replace('./', ''))];
  return [
    ...required.filter((file) => !files.includes(file)).map((file) => `${file} is missing`),
    ...files.filter((file) => !belongs(file)).map((file) => `${file} does not belong in there`),
    ...files.filter((file) => isStale(file, sources)).map((file) => `${file} has no source`),
    ...(await mapsWithoutSources(folder, files)).map((file) => `${file} lacks its sources`),
  ];
}

export async function readJson(path) {
  return JSON.parse(await readFile(path, 'utf8'));
}

function belongs(file) {
  const built = /^dist\/.+\.(js|d\.ts)(\.map)?$/.test(file) && !file.includes('.spec.');
  return built || PAPERS.includes(file);
}

/** The compiler leaves what it built from files that are gone. */
function isStale(file, sources) {
  const source = /^dist\/(?<path>.+?)\.(d\.ts|js)(\.map)?$/.exec(file)?.groups?.path;
  return source !== undefined && !existsSync(join(sources, `${source}.ts`));
}

async function mapsWithoutSources(folder, files) {
  const maps = files.filter((file) => file.endsWith('.js.map'));
  const parsed = await Promise.all(maps.map((file) => readJson(join(folder, file))));
  return maps.filter((_, at) => !parsed[at].sourcesContent);
}

function pathsOf(target) {
  return typeof target === 'string' ? [target] : Object.values(target).flatMap(pathsOf);
}

async function filesIn(folder) {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
}
