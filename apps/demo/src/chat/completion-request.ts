import { fields, isWhole, refuse } from '../input/body.js';

export interface CompletionRequest {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly stream: boolean;
  readonly tokens: number;
  readonly intervalMs: number;
}

export function readCompletionRequest(body: unknown): CompletionRequest {
  const { messages, stream = true, tokens = 50, intervalMs = 20 } = fields(body);
  const faults: string[] = [];
  if (!areMessages(messages)) faults.push('messages must be a list of { role, content }');
  if (typeof stream !== 'boolean') faults.push('stream must be true or false');
  if (!isWhole(tokens, 1, 100_000)) faults.push('tokens must be a whole number from 1 to 100000');
  if (!isWhole(intervalMs, 0, 60_000)) {
    faults.push('intervalMs must be a whole number from 0 to 60000');
  }
  refuse(faults);
  return { messages, stream, tokens, intervalMs } as CompletionRequest;
}

function areMessages(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isMessage);
}

function isMessage(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { role, content } = value as Record<string, unknown>;
  return typeof role === 'string' && typeof content === 'string';
}
