import { writeFileSync } from 'node:fs';
import ts from 'typescript';

const entries = process.argv.slice(2);
const imports = entries.map((entry, at) => `import * as entry${at} from '${entry}';`);
const requires = entries.map((entry, at) => `import entry${at} = require('${entry}');`);
const uses = `export const entries = [${entries.map((_, at) => `entry${at}`).join(', ')}];`;
writeFileSync('esm.mts', [...imports, uses].join('\n'));
writeFileSync('cjs.cts', [...requires, uses].join('\n'));

const { NodeNext, Bundler } = ts.ModuleResolutionKind;
check(['esm.mts', 'cjs.cts'], { module: ts.ModuleKind.NodeNext, moduleResolution: NodeNext });
check(['esm.mts'], { module: ts.ModuleKind.ESNext, moduleResolution: Bundler });

function check(files, options) {
  const program = ts.createProgram(files, {
    ...options,
    target: ts.ScriptTarget.ES2023,
    types: ['node'],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
  });
  const faults = ts.getPreEmitDiagnostics(program).filter(isOurs);
  if (faults.length === 0) return;
  process.stderr.write(ts.formatDiagnostics(faults, ts.createCompilerHost(options)));
  process.exitCode = 1;
}

/** Not what other packages' own declarations have wrong. */
function isOurs({ file }) {
  const installed = file?.fileName.split('/node_modules/').slice(1).pop();
  return installed === undefined || installed.startsWith('nestjs-timeouts/');
}
