/** Something the launcher started and has to stop again. */
export interface Part {
  readonly name: string;
  /** Settles with how it ended, asked to or not. */
  readonly exited: Promise<string>;
  /** The orderly way: lets it finish, and settles when it is gone. */
  stop(): Promise<void>;
  /** The short way, while `stop` is under way. */
  force(): void;
}
