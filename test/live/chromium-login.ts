import { existsSync } from "node:fs";
import { shows, withPage } from "../../demo/chromium.ts";

const program = "/usr/bin/chromium";

/** Why a real browser cannot be used, or false. */
export const missingChromium = !existsSync(program) && `there is no ${program}`;

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
export function signInByChromium(how: BrowserLogin): Promise<{ url: string; cookies: readonly string[] }> {
  return withPage(program, { hosts: [how.issuer], ignoreHTTPSErrors: true }, async (page) => {
    page.setDefaultTimeout(patience);
    await page.goto(how.url, { waitUntil: "commit" });
    await page.locator("input[name=login], input[name=username]").fill(how.login);
    await page.locator("input[name=password]").fill(how.password);
    await page.locator("input[name=password]").press("Enter");
    await shows(page, how.text, patience);
    if (how.screenshot !== undefined) await page.screenshot({ path: how.screenshot });
    const cookies = await page.context().cookies(how.url);
    return { url: page.url(), cookies: cookies.map(({ name }) => name) };
  });
}

const patience = 180_000;
