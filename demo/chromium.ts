import { existsSync } from "node:fs";
import { type BrowserContextOptions, type Page, chromium as playwright } from "playwright-core";
import { succeeded } from "../test/control-plane/completed.ts";

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

export interface PageOptions extends BrowserContextOptions {
  /** What the browser reaches besides this machine. */
  readonly hosts?: readonly string[];
}

/** Gives `use` an empty page of a browser with a profile of its own, which reaches this machine and `hosts` alone and listens nowhere. */
export async function withPage<T>(
  program: string,
  { hosts = [], ...options }: PageOptions,
  use: (page: Page) => Promise<T>,
): Promise<T> {
  const rules = ["MAP * ~NOTFOUND", ...["localhost", ...hosts].map((host) => `EXCLUDE ${host}`)].join(", ");
  const browser = await playwright.launch({
    executablePath: program,
    // Chromium's sandbox does not work for root, and it shows a page of our own only.
    chromiumSandbox: process.getuid?.() !== 0,
    // On a busy machine it takes a minute.
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
