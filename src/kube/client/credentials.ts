/** Address of an API server and the credentials for it at one time. */
export interface Credentials {
  /** Scheme, host, port, and path prefix if the API server has one. */
  readonly server: URL;
  /** `Authorization`, impersonation. Secret. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsMaterial;
}

/** TLS configuration of a connection, in PEM. A connection stays open when the token changes, but not when a certificate changes ({@link sameTls}). */
export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
}

export interface CredentialSource {
  /**
   * Returns the credentials, read again if they are older than a minute: bound tokens expire after an hour, and the kubelet renews the
   * file long before (client-go also reads it once a minute). If they cannot be read, the previous ones are returned.
   */
  current(): Promise<Credentials>;
  /** Reports that the API server rejected the credentials: they are loaded again, at most every 5 s. */
  rejected(): void;
}

/** Reads the current credentials. Throws if they are incomplete. */
export type ReadCredentials = () => Promise<Credentials>;

const freshSeconds = 60;
const reloadSeconds = 5;

/**
 * Returns a source that caches credentials. `load` prepares reading them (it parses a kubeconfig, for example) and runs again after a
 * rejection. `now` must be a monotonic clock: with a clock that is set back, an old token would be used for too long.
 */
export function credentialSource(
  load: () => Promise<ReadCredentials>,
  now: () => number = () => performance.now(),
): CredentialSource {
  let read: ReadCredentials | undefined;
  let cached: Credentials | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  let loadedAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<Credentials> | undefined;

  async function renewed(): Promise<Credentials> {
    try {
      if (read === undefined) {
        read = await load();
        loadedAt = now();
      }
      cached = await read();
    } catch (error) {
      if (cached === undefined) throw error;
    } finally {
      readAt = now();
      reading = undefined;
    }
    return cached;
  }

  return {
    current: () => {
      if (cached !== undefined && now() - readAt < freshSeconds * 1000) return Promise.resolve(cached);
      reading ??= renewed();
      return reading;
    },
    rejected: () => {
      if (now() - loadedAt < reloadSeconds * 1000) return;
      read = undefined;
      readAt = Number.NEGATIVE_INFINITY;
    },
  };
}

/** Whether a connection that was opened with `a` can be used for a request with `b`. */
export function sameTls(a: TlsMaterial, b: TlsMaterial): boolean {
  return (
    a.ca === b.ca &&
    a.cert === b.cert &&
    a.key === b.key &&
    a.servername === b.servername &&
    a.rejectUnauthorized === b.rejectUnauthorized
  );
}
