import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { succeeded } from "../test/control-plane/completed.ts";

/** A page of a headless browser. */
export interface Page {
  /** Calls a method of the DevTools protocol for the page. */
  readonly call: (method: string, params?: object) => Promise<Readonly<Record<string, unknown>>>;
  readonly close: () => Promise<void>;
}

const paths = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** The path of Chromium, which is installed from Debian's packages if it can be. Rejects with a sentence where there is none. */
export async function chromium(report: (line: string) => void): Promise<string> {
  const found = paths.find((path) => existsSync(path));
  if (found !== undefined) return found;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get"))
    throw new Error("there is no Chromium here: install it, or run this as root on Debian");
  report("installing Debian's package chromium, for looks at the UI");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await succeeded("apt-get", ["update", "-qq"], { env });
  await succeeded("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"], { env });
  return "/usr/bin/chromium";
}

/** What the browser reaches besides this machine. */
export interface Reaches {
  readonly hosts?: readonly string[];
  /** Takes any certificate, such as one of an authority of the tests. */
  readonly unverified?: boolean;
}

/**
 * Opens an empty page of a browser with a profile of its own, which reaches this machine alone. It is spoken to over a
 * pipe, so that it listens nowhere.
 */
export async function openPage(program: string, width: number, height: number, reaches: Reaches = {}): Promise<Page> {
  const profile = await mkdtemp(join(tmpdir(), "mlflow-operator-chromium-"));
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
  const { hosts = [], unverified = false } = reaches;
  const rules = ["MAP * ~NOTFOUND", ...["localhost", ...hosts].map((host) => `EXCLUDE ${host}`)].join(", ");
  const trusting = unverified ? ["--ignore-certificate-errors"] : [];
  const alone = ["--disable-quic", `--host-resolver-rules=${rules}`, ...trusting];
  // Chromium's sandbox does not work for root, and it shows a page of our own only.
  const rooted = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const looks = ["--headless", "--disable-gpu", "--hide-scrollbars", `--window-size=${width},${height}`];
  const options = [...looks, ...quiet, ...alone, ...rooted, `--user-data-dir=${profile}`, "--remote-debugging-pipe"];
  const child = spawn(program, [...options, "about:blank"], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: profile },
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const [, , , input, output] = child.stdio;
  if (!isWritable(input) || !isReadable(output)) throw new Error("Chromium has no pipe to be spoken to.");
  const call = dialogue(input, output, ended);
  const close = async () => {
    const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
    await call("Browser.close").catch(() => undefined);
    await ended;
    clearTimeout(timer);
    // Processes of its own may write there for a moment yet.
    await rm(profile, { recursive: true, force: true, maxRetries: 20 });
  };
  try {
    const { targetId } = await call("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true });
    return { call: (method, params) => call(method, params, String(sessionId)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Call = (method: string, params?: object, sessionId?: string) => Promise<Readonly<Record<string, unknown>>>;

/** Messages of the protocol end with a NUL; an answer has the id of its call. */
function dialogue(input: Writable, output: Readable, ended: Promise<void>): Call {
  const waiting = new Map<number, (answer: Answer) => void>();
  let id = 0;
  let rest = "";
  input.on("error", () => {});
  output.setEncoding("utf8").on("data", (text: string) => {
    const messages = (rest + text).split("\0");
    rest = messages.pop() ?? "";
    for (const message of messages) {
      const answer: Answer = JSON.parse(message);
      waiting.get(answer.id ?? 0)?.(answer);
      waiting.delete(answer.id ?? 0);
    }
  });
  return (method, params = {}, sessionId) =>
    new Promise((resolve, reject) => {
      waiting.set(++id, ({ error, result = {} }) => {
        if (error === undefined) resolve(result);
        else reject(new Error(`Chromium, ${method}: ${error.message}`));
      });
      void ended.then(() => reject(new Error(`Chromium ended at ${method}.`)));
      input.write(`${JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) })}\0`);
    });
}

interface Answer {
  readonly id?: number;
  readonly error?: { readonly message: string };
  readonly result?: Readonly<Record<string, unknown>>;
}

function isWritable(stream: unknown): stream is Writable {
  return typeof stream === "object" && stream !== null && "write" in stream;
}

function isReadable(stream: unknown): stream is Readable {
  return typeof stream === "object" && stream !== null && "setEncoding" in stream;
}
