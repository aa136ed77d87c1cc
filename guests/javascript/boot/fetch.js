// fetch, Request and Response, as in the Fetch Standard. The host does one exchange at a time; what follows from a
// redirect is done here, so that each hop is judged and recorded as what it is.
import * as native from "oacp:native";
import { Body, copyBody, extract, hasBody, isStreamed, moveBody } from "./body.js";
import { denied, placed } from "./denied.js";
import { AbortController, AbortSignal } from "./events.js";
import { Headers, freeze, isToken, listOf } from "./headers.js";
import { showBy } from "./inspect.js";
import { forget, open } from "./loop.js";
import { URL } from "./url.js";

const { parse, stringify } = JSON;
const { captureStackTrace } = Error;

const REDIRECTS_MAX = 20;
const NORMALIZED = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"];
const FORBIDDEN = ["CONNECT", "TRACE", "TRACK"];
const REDIRECTS = [301, 302, 303, 307, 308];
const WITHOUT_BODY = [101, 103, 204, 205, 304];
const OF_THE_BODY = ["content-encoding", "content-language", "content-length", "content-location", "content-type"];
// `host` names the origin it was meant for.
const OF_THE_ORIGIN = ["authorization", "cookie", "host", "proxy-authorization"];
const INTERNAL = Symbol("internal");

function methodOf(method) {
  method = `${method}`;
  if (!isToken(method)) throw new TypeError(`\`${method}\` is not a method`);
  const upper = method.toUpperCase();
  if (FORBIDDEN.includes(upper)) throw new TypeError(`method \`${method}\` is not for fetch`);
  return NORMALIZED.includes(upper) ? upper : method;
}

function urlOf(input) {
  let url;
  try {
    url = new URL(input);
  } catch (cause) {
    throw new TypeError(`\`${input}\` is not an absolute URL`, { cause });
  }
  if (url.username !== "" || url.password !== "") {
    throw new TypeError("a URL with a user's name or password cannot be fetched; send them as the header `authorization`");
  }
  return url;
}

let urlFor; // (request) → its URL
let signalFor; // (request) → its signal, if it has one

export class Request extends Body {
  #url;
  #method;
  #headers;
  #redirect;
  #signal;

  static {
    urlFor = (request) => request.#url;
    signalFor = (request) => request.#signal;
    showBy((value) => (#url in value ? { method: value.#method, url: value.#url.href, headers: value.#headers } : undefined));
  }

  // With INTERNAL, `content` is the body as it is.
  constructor(input, init = {}, key, content) {
    if (arguments.length === 0) throw new TypeError("Request: a URL is needed");
    init ??= {};
    if (typeof init !== "object" && typeof init !== "function") throw new TypeError("Request: the options are an object");
    const from = input instanceof Request ? input : undefined;
    const url = from?.#url ?? urlOf(input);
    const method = init.method === undefined ? (from?.#method ?? "GET") : methodOf(init.method);
    const redirect = init.redirect === undefined ? (from?.#redirect ?? "follow") : `${init.redirect}`;
    if (!["follow", "error", "manual"].includes(redirect)) throw new TypeError(`Request: \`redirect\` is follow, error or manual, not \`${redirect}\``);
    const signal = init.signal === undefined ? from?.#signal : (init.signal ?? undefined);
    if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError("Request: the signal is not an AbortSignal");
    const headers = new Headers(init.headers ?? (from && listOf(from.#headers)));
    if (key !== INTERNAL) {
      const given = init.body ?? undefined;
      if ((method === "GET" || method === "HEAD") && (given !== undefined || (from !== undefined && hasBody(from)))) throw new TypeError(`Request: ${method} has no body`);
      content = given !== undefined ? extract(given) : from && moveBody(from);
      if (given !== undefined && content.type !== undefined && !headers.has("content-type")) headers.set("content-type", content.type);
    }
    super(content);
    this.#url = url;
    this.#method = method;
    this.#headers = headers;
    this.#redirect = redirect;
    this.#signal = signal;
  }
  get url() { return this.#url.href; }
  get method() { return this.#method; }
  get headers() { return this.#headers; }
  get redirect() { return this.#redirect; }
  get signal() { return (this.#signal ??= new AbortController().signal); }

  clone() {
    return new Request(this, {}, INTERNAL, copyBody(this));
  }
}

export class Response extends Body {
  #type;
  #url;
  #redirected;
  #status;
  #statusText;
  #headers;

  static {
    showBy((value) => {
      if (!(#status in value)) return undefined;
      return { status: value.#status, statusText: value.#statusText, url: value.#url, headers: value.#headers };
    });
  }

  constructor(body = null, init = {}, key, more) {
    if (key === INTERNAL) {
      super(body);
      this.#type = more.type;
      this.#url = more.url ?? "";
      this.#redirected = more.redirected ?? false;
      this.#status = init.status;
      this.#statusText = init.statusText;
      this.#headers = init.headers;
      return;
    }
    init ??= {};
    const status = init.status === undefined ? 200 : Number(init.status);
    if (!(Number.isInteger(status) && status >= 200 && status <= 599)) throw new RangeError(`Response: the status is from 200 to 599, not ${status}`);
    const statusText = init.statusText === undefined ? "" : `${init.statusText}`;
    if (/[^\t -~\x80-\xff]/.test(statusText)) throw new TypeError("Response: the status text is not a reason phrase");
    const headers = new Headers(init.headers ?? undefined);
    const content = body === null || body === undefined ? undefined : extract(body);
    if (content !== undefined) {
      if (WITHOUT_BODY.includes(status)) throw new TypeError(`Response: status ${status} has no body`);
      if (content.type !== undefined && !headers.has("content-type")) headers.set("content-type", content.type);
    }
    super(content);
    this.#type = "default";
    this.#url = "";
    this.#redirected = false;
    this.#status = status;
    this.#statusText = statusText;
    this.#headers = headers;
  }
  get type() { return this.#type; }
  get url() { return this.#url; }
  get redirected() { return this.#redirected; }
  get status() { return this.#status; }
  get ok() { return this.#status >= 200 && this.#status <= 299; }
  get statusText() { return this.#statusText; }
  get headers() { return this.#headers; }

  clone() {
    const init = { status: this.#status, statusText: this.#statusText, headers: new Headers(listOf(this.#headers)) };
    return new Response(copyBody(this), init, INTERNAL, { type: this.#type, url: this.#url, redirected: this.#redirected });
  }

  static error() {
    return new Response(undefined, { status: 0, statusText: "", headers: new Headers() }, INTERNAL, { type: "error" });
  }

  static redirect(url, status = 302) {
    const { href } = new URL(url);
    if (!REDIRECTS.includes(status)) throw new RangeError(`Response.redirect: ${status} is no status of a redirect`);
    return new Response(null, { status, headers: { location: href } });
  }

  static json(data, init = {}) {
    const text = stringify(data);
    if (text === undefined) throw new TypeError("Response.json: the data is not JSON");
    const headers = new Headers(init?.headers ?? undefined);
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
    return new Response(text, { ...init, headers });
  }
}

function failed(message, code, site) {
  const cause = new Error(message);
  cause.code = code;
  return placed(new TypeError(`fetch failed: ${message}`, { cause }), site);
}

/** What `start(resolve, reject)` comes to, unless the signal is aborted before. `start` may return a function that gives up. */
function unlessAborted(signal, start) {
  return new Promise((resolve, reject) => {
    if (signal === undefined) {
      start(resolve, reject);
      return;
    }
    let giveUp;
    const abort = () => {
      giveUp?.();
      reject(signal.reason);
    };
    const settle = (how) => (value) => {
      signal.removeEventListener("abort", abort);
      how(value);
    };
    signal.addEventListener("abort", abort, { once: true });
    giveUp = start(settle(resolve), settle(reject));
  });
}

/** One exchange: `{ status, reason, headers, body }`. */
async function exchange(method, url, headers, body, signal, site) {
  const call = native.httpStart(method, url, headers.flat(), body);
  const [, bytes, code, message, detail] = await unlessAborted(signal, (resolve) => {
    open(call, resolve);
    return () => forget(call);
  });
  if (code === "denied") throw placed(denied(message, detail, { call }), site);
  if (code !== undefined) throw failed(message, code, site);
  const end = bytes.indexOf(10);
  return { ...parse(native.decode(bytes.subarray(0, end), false)), body: bytes.subarray(end + 1) };
}

/** Where a redirect leads; undefined where the response is none. */
function target(response, url, site) {
  if (!REDIRECTS.includes(response.status)) return undefined;
  const location = response.headers.find((one) => one[0] === "location")?.[1];
  if (location === undefined) return undefined;
  let to;
  try {
    // A header's characters are bytes.
    to = new URL(native.decode(Uint8Array.from(location, (c) => c.charCodeAt(0)), false), url);
  } catch {
    throw failed(`${url.href} redirects to \`${location}\`, which is not a URL`, "redirect", site);
  }
  if (to.username !== "" || to.password !== "") throw failed(`${url.href} redirects to a URL with a user's name or password`, "redirect", site);
  return to;
}

const without = (headers, names) => headers.filter((one) => !names.includes(one[0]));

async function run(request, site) {
  const signal = signalFor(request);
  const { redirect } = request;
  let { method } = request;
  let url = new URL(urlFor(request));
  url.hash = "";
  let headers = listOf(request.headers);
  if (!request.headers.has("accept")) headers = [...headers, ["accept", "*/*"]];
  if (!request.headers.has("user-agent")) headers = [...headers, ["user-agent", "oacp"]];
  const once = isStreamed(request);
  signal?.throwIfAborted();
  let body = once ? await unlessAborted(signal, (resolve, reject) => void request.bytes().then(resolve, reject)) : await request.bytes();
  for (let hops = 0; ; hops++) {
    signal?.throwIfAborted();
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      throw failed(`\`${url.href}\` cannot be fetched: only http: and https: can`, "bad_request", site);
    }
    const response = await exchange(method, url.href, headers, body, signal, site);
    const { status } = response;
    const to = redirect === "manual" ? undefined : target(response, url, site);
    if (to === undefined) {
      const made = new Headers(response.headers);
      freeze(made);
      const content = method === "HEAD" || WITHOUT_BODY.includes(status) ? undefined : { bytes: response.body, shared: true };
      return new Response(content, { status, statusText: response.reason, headers: made }, INTERNAL, { type: "basic", url: url.href, redirected: hops > 0 });
    }
    to.hash = "";
    if (redirect === "error") throw failed(`${url.href} redirects to ${to.href}, and \`redirect\` is \`error\``, "redirect", site);
    if (hops === REDIRECTS_MAX) throw failed(`more than ${REDIRECTS_MAX} redirects, the last to ${to.href}`, "redirect", site);
    if (once && status !== 303) throw failed(`${url.href} redirects to ${to.href}, and a body that is a stream cannot be sent again`, "redirect", site);
    if (((status === 301 || status === 302) && method === "POST") || (status === 303 && method !== "GET" && method !== "HEAD")) {
      method = "GET";
      body = new Uint8Array();
      headers = without(headers, OF_THE_BODY);
    }
    if (to.origin !== url.origin) headers = without(headers, OF_THE_ORIGIN);
    url = to;
  }
}

/** Fetches a URL or a Request; the response, as a promise. */
export async function fetch(input, init) {
  const site = {};
  captureStackTrace(site, fetch);
  return run(new Request(input, init), site);
}
