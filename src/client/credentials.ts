/** How to reach an API server and as whom, as of one moment. */
export interface Credentials {
  /** Scheme, host, port, and the path prefix where the API server is behind one. */
  readonly server: URL;
  /** `Authorization`, impersonation. Secret. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsMaterial;
}

/** What a TLS connection is made of, in PEM. Compared by {@link sameTls}: a connection outlives a token, not a certificate. */
export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
}

export interface CredentialSource {
  /**
   * The credentials, read again when they are older than a minute: bound tokens rotate hourly, and the kubelet renews the
   * file long before (client-go waits a minute, too). When they cannot be read, the former ones are returned.
   */
  current(): Promise<Credentials>;
  /** Says that the API server refused the credentials: they are loaded anew, at most every 5 s. */
  refused(): void;
}

/** Reads the credentials as they are now. Throws where they are incomplete. */
export type ReadCredentials = () => Promise<Credentials>;

const freshSeconds = 60;
const reloadSeconds = 5;

/**
 * `load` prepares the reading (a kubeconfig is parsed, say), and does so again when the API server refused. `now` is a clock that
 * cannot be set: a clock that is set back would keep a token for as long.
 */
export function credentialSource(
  load: () => Promise<ReadCredentials>,
  now: () => number = () => performance.now(),
): CredentialSource {
  let read: ReadCredentials | undefined;
  let held: Credentials | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  let loadedAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<Credentials> | undefined;

  async function renewed(): Promise<Credentials> {
    try {
      if (read === undefined) {
        read = await load();
        loadedAt = now();
      }
      held = await read();
    } catch (error) {
      if (held === undefined) throw error;
    } finally {
      readAt = now();
      reading = undefined;
    }
    return held;
  }

  return {
    current: () => {
      if (held !== undefined && now() - readAt < freshSeconds * 1000) return Promise.resolve(held);
      reading ??= renewed();
      return reading;
    },
    refused: () => {
      if (now() - loadedAt < reloadSeconds * 1000) return;
      read = undefined;
      readAt = Number.NEGATIVE_INFINITY;
    },
  };
}

/** Whether a connection made with `a` may serve a call that is to be made with `b`. */
export function sameTls(a: TlsMaterial, b: TlsMaterial): boolean {
  return (
    a.ca === b.ca &&
    a.cert === b.cert &&
    a.key === b.key &&
    a.servername === b.servername &&
    a.rejectUnauthorized === b.rejectUnauthorized
  );
}
