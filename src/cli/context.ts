import type { Command } from "commander";

/** The input and output of a command. */
export interface Streams {
  readonly stdin: () => Promise<string>;
  readonly stdout: (text: string) => void;
  /** One message. */
  readonly stderr: (line: string) => void;
  /** Whether stdout is a terminal, whose screen can be cleared. */
  readonly isTerminal?: boolean;
}

/** What the command line reads of the user's environment. */
export interface UserEnvironment {
  /** `KUBECONFIG`: one or more paths. */
  readonly kubeconfig?: string;
  readonly home?: string;
  /** `KUBECTL_EXTERNAL_DIFF`. */
  readonly externalDiff?: string;
}

/** What all commands need besides their arguments. */
export interface CommandContext {
  /** The name by which the program was called: `mlflow-operator` or `kubectl mlflow`. */
  readonly name: string;
  readonly version: string;
  readonly streams: Streams;
  readonly now: () => Date;
  readonly environment: UserEnvironment;
  /** Aborted when the user interrupts the program: for commands that otherwise do not end. Until it is called, an interrupt ends the process. */
  readonly interruption: () => AbortSignal;
  /** The command `run`, whose modules this folder does not import. */
  readonly operator: {
    readonly addOptions: (command: Command) => void;
    readonly run: (options: Readonly<Record<string, string>>) => Promise<number>;
  };
}
