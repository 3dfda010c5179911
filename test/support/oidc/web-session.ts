import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";

export interface WebAnswer {
  readonly status: number;
  /** The URL after redirects. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A browser session without a browser: it keeps cookies for each host and follows redirects. */
export interface WebSession {
  /** Opens a page and follows redirects. */
  readonly open: (url: string) => Promise<WebAnswer>;
  /** Makes one request without following redirects. */
  readonly send: (method: string, url: string, form?: Readonly<Record<string, string>>) => Promise<WebAnswer>;
  /** Opens a page, signs in if it redirects to the login form of the issuer, and returns the next page. */
  readonly signIn: (url: string, login: string, password: string) => Promise<WebAnswer>;
  /** The Cookie header for this URL. */
  readonly cookies: (url: string) => string;
}

export interface WebSessionOptions {
  /** CA certificates for https. */
  readonly ca?: string | undefined;
  /** Addresses of host names without DNS. */
  readonly addresses?: Readonly<Record<string, string>>;
}

export function webSession({ ca, addresses = {} }: WebSessionOptions = {}): WebSession {
  /** By host without port, as in browsers. Paths are ignored. */
  const jar = new Map<string, Map<string, string>>();
  const cookies = (url: string) =>
    [...(jar.get(new URL(url).hostname) ?? [])].map(([name, value]) => `${name}=${value}`).join("; ");

  const send: WebSession["send"] = (method, url, form) =>
    new Promise((resolve, reject) => {
      const target = new URL(url);
      const body = form && new URLSearchParams(form).toString();
      const headers = {
        host: target.host,
        accept: "text/html,*/*;q=0.8",
        ...(cookies(url) !== "" && { cookie: cookies(url) }),
        ...(body !== undefined && {
          "content-type": "application/x-www-form-urlencoded",
          "content-length": String(Buffer.byteLength(body)),
        }),
      };
      const host = addresses[target.hostname] ?? target.hostname;
      const path = `${target.pathname}${target.search}`;
      const where = { method, host, port: target.port, path, headers, timeout: 60_000, agent: false as const };
      const outgoing = target.protocol === "https:" ? httpsRequest({ ...where, ca }) : httpRequest(where);
      outgoing.on("timeout", () => outgoing.destroy(new Error(`${method} ${url} timed out.`)));
      outgoing.on("error", reject);
      outgoing.on("response", (incoming) => {
        let text = "";
        for (const line of incoming.headers["set-cookie"] ?? []) keep(target.hostname, line);
        incoming.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        incoming.on("error", reject);
        incoming.on("end", () =>
          resolve({ status: incoming.statusCode ?? 0, url: target, headers: incoming.headers, body: text }),
        );
      });
      outgoing.end(body);
    });

  const keep = (host: string, line: string) => {
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    const own = jar.get(host) ?? new Map<string, string>();
    jar.set(host, own);
    if (value === "" || /;\s*max-age=0|;\s*expires=Thu, 01 Jan 1970/i.test(line)) own.delete(name);
    else own.set(name, value);
  };

  const followed = async (answer: WebAnswer): Promise<WebAnswer> => {
    let current = answer;
    for (let hops = 0; current.status >= 300 && current.status < 400; hops++) {
      if (hops === 20) throw new Error(`${answer.url} redirects endlessly.`);
      const { location } = current.headers;
      if (typeof location !== "string") throw new Error(`${current.url} redirects nowhere.`);
      current = await send("GET", new URL(location, current.url).href);
    }
    return current;
  };

  const open: WebSession["open"] = async (url) => followed(await send("GET", url));
  return {
    open,
    send,
    cookies,
    signIn: async (url, login, password) => {
      const page = await open(url);
      const form = loginForm(page);
      return form === undefined ? page : followed(await send("POST", form.action, { [form.user]: login, password }));
    },
  };
}

/** Returns the action of the login form and the name of its user field; undefined if the page has none. */
function loginForm({ url, body }: WebAnswer): { readonly action: string; readonly user: string } | undefined {
  const user = /<input[^>]* name="(login|username)"/.exec(body)?.[1];
  if (user === undefined || !/<input[^>]* type="password"/.test(body)) return undefined;
  const action = /<form[^>]* action="([^"]*)"/.exec(body)?.[1] ?? "";
  return { action: new URL(action.replaceAll("&amp;", "&"), url).href, user };
}
