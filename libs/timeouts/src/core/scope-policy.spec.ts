import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../testing/manual-clock.js';
import { closeApplicationScope, openApplicationScope, openScope } from './current-scope.js';
import { policyOf } from './lineage.js';
import type { ScopeNode } from './scope-node.js';

let clock: ManualClock;
let application: ScopeNode;
let request: ScopeNode;
let child: ScopeNode;

beforeEach(() => {
  clock = new ManualClock();
  application = openApplicationScope({ clock, policy: { statementMs: 7 } });
  request = openScope(application, 'request', 'GET /x', 1_000);
  child = openScope(request, 'block', 'child');
});

afterEach(() => closeApplicationScope(application));

describe('a scope', () => {
  it('is cancelled under the name of a limit that somebody else watches', () => {
    clock.advance(40);

    request.cancel('deadline', { layer: 'body', timeoutMs: 15, message: 'Body stalled' });

    expect(child.error).toMatchObject({
      code: 'body_timeout',
      layer: 'body',
      timeoutMs: 15,
      elapsedMs: 40,
      message: 'Body stalled',
    });
  });

  it('has the policy of the closest edge around it', () => {
    expect(policyOf(child)).toEqual({ statementMs: 7 });

    request.edge = { policy: { statementMs: 5 }, onCancel() {}, outgrewDeadline: () => false };

    expect(policyOf(child)).toEqual({ statementMs: 5 });
  });
});
