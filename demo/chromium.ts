import { existsSync } from "node:fs";
import { type BrowserContextOptions, type Page, chromium as playwright } from "playwright-core";
import { succeeded } from "../test/control-plane/completed.ts";

const paths = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Returns the path of Chromium, and installs the Debian package if possible. Rejects with a message if it is not available. */
export async function chromium(report: (line: string) => void): Promise<string> {
  const found = paths.find((path) => existsSync(path));
  if (found !== undefined) return found;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get"))
    throw new Error("Chromium is not installed: install it, or run this as root on Debian");
  report("installing the Debian package chromium, for screenshots of the UI");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await succeeded("apt-get", ["update", "-qq"], { env });
  await succeeded("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"], { env });
  return "/usr/bin/chromium";
}

export interface PageOptions extends BrowserContextOptions {
  /** Hosts that the browser can reach besides localhost. */
  readonly hosts?: readonly string[];
}

/** Calls `use` with an empty page of a browser with a new profile, which can reach only localhost and `hosts`. */
export async function withPage<T>(
  program: string,
  { hosts = [], ...options }: PageOptions,
  use: (page: Page) => Promise<T>,
): Promise<T> {
  const rules = ["MAP * ~NOTFOUND", ...["localhost", ...hosts].map((host) => `EXCLUDE ${host}`)].join(", ");
  const browser = await playwright.launch({
    executablePath: program,
    // The sandbox of Chromium does not work for root, and it opens only local pages.
    chromiumSandbox: process.getuid?.() !== 0,
    // The start takes a minute on a busy machine.
    timeout: 180_000,
    args: ["--disable-quic", `--host-resolver-rules=${rules}`],
  });
  try {
    return await use(await browser.newPage({ viewport: { width: 1400, height: 900 }, ...options }));
  } finally {
    await browser.close();
  }
}

/** Waits until the page shows the text. */
export async function shows(page: Page, text: string, timeout: number): Promise<void> {
  await page.getByText(text).filter({ visible: true }).first().waitFor({ timeout });
}
