import { fields, isWhole, refuse } from '../input/body.js';

const MAX_CENTS = 2 ** 31 - 1;
const MAX_NAME = 100;

export interface NewOrder {
  readonly customer: string;
  readonly amountCents: number;
}

export function readNewOrder(body: unknown): NewOrder {
  const { customer, amountCents } = fields(body);
  const named = typeof customer === 'string' && customer.trim() !== '';
  const faults: string[] = [];
  if (!named || customer.length > MAX_NAME) {
    faults.push(`customer must be a text of 1 to ${MAX_NAME} characters`);
  }
  if (!isWhole(amountCents, 0, MAX_CENTS)) {
    faults.push(`amountCents must be a whole number from 0 to ${MAX_CENTS}`);
  }
  refuse(faults);
  return { customer: (customer as string).trim(), amountCents: amountCents as number };
}
