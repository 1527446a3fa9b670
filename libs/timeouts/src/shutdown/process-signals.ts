/** The signals that ask a process to go down. */
export type DownSignal = 'SIGTERM' | 'SIGINT';

/** Who is told of them. */
export interface SignalHearer {
  /** @param isAlone whether nobody else in the process listens, so that nobody else will end it. */
  onSignal(signal: DownSignal, isAlone: boolean): void;
}

const SIGNALS: readonly DownSignal[] = ['SIGTERM', 'SIGINT'];

const hearers = new Set<SignalHearer>();

/**
 * Tells `hearer` of every signal before Nest's own listener hears of it, so that readiness fails
 * from that moment on. One listener serves every application of the process.
 * @returns what ends it. The last to leave gives the signals their default action back.
 */
export function hearSignals(hearer: SignalHearer): () => void {
  if (hearers.size === 0) for (const signal of SIGNALS) process.prependListener(signal, tellAll);
  hearers.add(hearer);
  return () => {
    if (!hearers.delete(hearer) || hearers.size > 0) return;
    for (const signal of SIGNALS) process.removeListener(signal, tellAll);
  };
}

/** Whether anybody but us listens to what ends the process by default. */
export function isSignalHeardElsewhere(signal: DownSignal): boolean {
  return process.listeners(signal).some((listener) => listener !== tellAll);
}

function tellAll(signal: NodeJS.Signals): void {
  const isAlone = !isSignalHeardElsewhere(signal as DownSignal);
  for (const hearer of hearers) hearer.onSignal(signal as DownSignal, isAlone);
}
