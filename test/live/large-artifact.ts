import { createHash } from "node:crypto";
import { request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** The location of an artifact, and the headers with the credential. */
export interface ArtifactLocation {
  readonly address: string;
  /** Default: 5000. */
  readonly port?: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

const chunk = Buffer.alloc(1 << 20, "0123456789abcdef");

/** Sends an artifact as a stream; returns the status and the hash of the content. */
export async function sentArtifact(place: ArtifactLocation, mebibytes: number) {
  const hash = createHash("sha256");
  const body = Readable.from(
    (function* () {
      for (let index = 0; index < mebibytes; index++) {
        chunk.writeUInt32BE(index);
        const part = Buffer.from(chunk);
        hash.update(part);
        yield part;
      }
    })(),
  );
  const headers = { ...headersOf(place), "content-length": String(mebibytes * chunk.length) };
  const status = await new Promise<number>((resolve, reject) => {
    const outgoing = request({
      method: "PUT",
      host: place.address,
      port: place.port ?? 5000,
      path: place.path,
      headers,
    });
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => incoming.resume().on("end", () => resolve(incoming.statusCode ?? 0)));
    pipeline(body, outgoing).catch(reject);
  });
  return { status, hash: hash.digest("hex") };
}

/** Fetches an artifact as a stream; returns the status and the hash. */
export function fetchedArtifact(place: ArtifactLocation): Promise<{ status: number; hash: string }> {
  return new Promise((resolve, reject) => {
    const hash = createHash("sha256");
    const outgoing = request({
      host: place.address,
      port: place.port ?? 5000,
      path: place.path,
      headers: headersOf(place),
    });
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      incoming.on("data", (part: Buffer) => hash.update(part)).on("error", reject);
      incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, hash: hash.digest("hex") }));
    });
    outgoing.end();
  });
}

function headersOf({ headers }: ArtifactLocation) {
  return { host: "mlflow", ...headers };
}
