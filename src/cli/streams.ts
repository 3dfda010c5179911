/** The input and output of a command. */
export interface Streams {
  readonly stdin: () => Promise<string>;
  readonly stdout: (text: string) => void;
  /** One message. */
  readonly stderr: (line: string) => void;
  /** Whether stdout is a terminal, whose screen can be cleared. */
  readonly isTerminal?: boolean;
}
