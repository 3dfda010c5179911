import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { openPage, type Page } from "../../demo/chromium.ts";

const program = "/usr/bin/chromium";

/** Why a real browser cannot be used, or false. */
export const lacksChromium = !existsSync(program) && `there is no ${program}`;

export interface BrowserLogin {
  /** The server, as the browser sees it. */
  readonly url: string;
  /** The host of the issuer. */
  readonly issuer: string;
  readonly login: string;
  readonly password: string;
  /** What is seen when one is in. */
  readonly text: string;
  /** Where the picture goes; none: nowhere. */
  readonly screenshot?: string;
}

/** Signs in as a person does; gives the address and the cookies' names in the end. Rejects if the text is never seen. */
export async function signInByChromium(how: BrowserLogin): Promise<{ url: string; cookies: readonly string[] }> {
  const page = await openPage(program, 1400, 900, { hosts: [how.issuer], unverified: true });
  try {
    await page.call("Network.enable");
    await page.call("Page.navigate", { url: how.url });
    await seen(page, "Sign in");
    const typed = `for (const [name, text] of Object.entries(${JSON.stringify({ login: how.login, password: how.password })}))
      document.querySelector(\`input[name=\${name}]\`).value = text;
      document.querySelector("button").click();`;
    await page.call("Runtime.evaluate", { expression: typed });
    await seen(page, how.text);
    if (how.screenshot !== undefined) {
      const { data } = await page.call("Page.captureScreenshot", { format: "png" });
      await writeFile(how.screenshot, String(data), "base64");
    }
    const { cookies } = await page.call("Network.getCookies", { urls: [how.url] });
    const names = Array.isArray(cookies) ? cookies.map((cookie: { name: string }) => cookie.name) : [];
    return { url: await evaluated(page, "location.href"), cookies: names };
  } finally {
    await page.close();
  }
}

async function seen(page: Page, text: string): Promise<void> {
  const deadline = Date.now() + 180_000;
  // The whole page: what is typed next has its place then. While one page takes another's place, neither can be asked.
  const look = () =>
    evaluated(page, "document.readyState === 'loading' ? '' : document.body.innerText").catch(() => "");
  for (let shown = ""; !shown.includes(text); shown = await look()) {
    if (Date.now() > deadline) throw new Error(`the page does not show ${text}, but: ${shown.slice(0, 300)}`);
    await sleep(500);
  }
}

async function evaluated(page: Page, expression: string): Promise<string> {
  const { result } = await page.call("Runtime.evaluate", { expression });
  return typeof result === "object" && result !== null && "value" in result ? String(result.value) : "";
}
