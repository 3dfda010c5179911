import { existsSync } from "node:fs";
import { shows, withPage } from "../../demo/chromium.ts";

const program = "/usr/bin/chromium";

/** The reason why there is no real browser, or false. */
export const missingChromium = !existsSync(program) && `there is no ${program}`;

export interface BrowserLogin {
  /** The URL of the server for the browser. */
  readonly url: string;
  /** The host of the issuer. */
  readonly issuer: string;
  readonly login: string;
  readonly password: string;
  /** A text on the page after the login. */
  readonly text: string;
  /** The path of a screenshot, if any. */
  readonly screenshot?: string;
}

/** Signs in with a browser; returns the final URL and the cookies' names. Rejects if the text is not shown. */
export function signInByChromium(how: BrowserLogin): Promise<{ url: string; cookies: readonly string[] }> {
  return withPage(program, { hosts: [how.issuer], ignoreHTTPSErrors: true }, async (page) => {
    page.setDefaultTimeout(timeoutMilliseconds);
    await page.goto(how.url, { waitUntil: "commit" });
    await page.locator("input[name=login], input[name=username]").fill(how.login);
    await page.locator("input[name=password]").fill(how.password);
    await page.locator("input[name=password]").press("Enter");
    await shows(page, how.text, timeoutMilliseconds);
    if (how.screenshot !== undefined) await page.screenshot({ path: how.screenshot });
    const cookies = await page.context().cookies(how.url);
    return { url: page.url(), cookies: cookies.map(({ name }) => name) };
  });
}

const timeoutMilliseconds = 180_000;
