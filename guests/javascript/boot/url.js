// URL, by the state machine of the URL Standard.
import * as native from "oacp:native";
import { parseHost } from "./host.js";
import { bindQuery, setQuery, URLSearchParams } from "./query.js";

const SPECIAL = { __proto__: null, "ftp:": 21, "file:": null, "http:": 80, "https:": 443, "ws:": 80, "wss:": 443 };
const isSpecial = (url) => url.scheme in SPECIAL;

// What is encoded beside C0 controls, DEL and all that is not ASCII.
const CONTROL = "";
const FRAGMENT = ' "<>`';
const QUERY = ' "#<>';
const SPECIAL_QUERY = `${QUERY}'`;
const PATH = `${QUERY}?^\`{}`;
const USERINFO = `${PATH}/:;=@[\\]|`;

function encode(text, set) {
  let output = "";
  for (const c of text) {
    if (c > "\x1f" && c < "\x7f" && !set.includes(c)) output += c;
    else for (const byte of native.encode(c)) output += `%${byte < 16 ? "0" : ""}${byte.toString(16).toUpperCase()}`;
  }
  return output;
}

const isSingleDot = (segment) => segment === "." || /^%2e$/i.test(segment);
const isDoubleDot = (segment) => /^(?:\.|%2e){2}$/i.test(segment);
const isDriveLetter = (text) => /^[A-Za-z][:|]$/.test(text);
const startsWithDriveLetter = (chars, at) => /^[A-Za-z][:|](?:[/\\?#]|$)/.test(chars.slice(at, at + 3).join(""));

function shorten(url) {
  if (url.scheme === "file:" && url.path.length === 1 && /^[A-Za-z]:$/.test(url.path[0])) return;
  url.path.pop();
}

const hasCredentials = (url) => url.username !== "" || url.password !== "";
const cannotHaveCredentials = (url) => url.host === null || url.host === "" || url.scheme === "file:";
const empty = () => ({ scheme: "", username: "", password: "", host: null, port: null, path: [], query: null, fragment: null });

/** Parses into `url`, from `override` on where a part is being set. False where it fails. */
function parse(input, base, url, override) {
  if (override === undefined) input = input.replace(/^[\0- ]+|[\0- ]+$/g, "");
  const chars = Array.from(input.replace(/[\t\n\r]/g, ""));
  const end = chars.length;
  let state = override ?? "scheme start";
  let buffer = "";
  let atSeen = false;
  let inBrackets = false;
  let passwordSeen = false;

  for (let at = 0; ; at++) {
    const c = chars[at]; // undefined at the end
    switch (state) {
      case "scheme start":
        if (c !== undefined && /[A-Za-z]/.test(c)) {
          buffer = c.toLowerCase();
          state = "scheme";
        } else if (override === undefined) {
          state = "no scheme";
          at--;
        } else {
          return false;
        }
        break;

      case "scheme":
        if (c !== undefined && /^[A-Za-z0-9+.-]$/.test(c)) {
          buffer += c.toLowerCase();
        } else if (c === ":") {
          const scheme = `${buffer}:`;
          if (override !== undefined) {
            if (isSpecial(url) !== scheme in SPECIAL) return true;
            if ((hasCredentials(url) || url.port !== null) && scheme === "file:") return true;
            if (url.scheme === "file:" && (url.host === null || url.host === "")) return true;
          }
          url.scheme = scheme;
          if (override !== undefined) {
            if (url.port === SPECIAL[scheme]) url.port = null;
            return true;
          }
          buffer = "";
          if (scheme === "file:") {
            state = "file";
          } else if (isSpecial(url)) {
            state = base !== undefined && base.scheme === scheme ? "special relative or authority" : "special authority slashes";
          } else if (chars[at + 1] === "/") {
            state = "path or authority";
            at++;
          } else {
            url.path = "";
            state = "opaque path";
          }
        } else if (override === undefined) {
          buffer = "";
          state = "no scheme";
          at = -1;
        } else {
          return false;
        }
        break;

      case "no scheme":
        if (base === undefined || (typeof base.path === "string" && c !== "#")) return false;
        if (typeof base.path === "string") {
          Object.assign(url, { scheme: base.scheme, path: base.path, query: base.query, fragment: "" });
          state = "fragment";
        } else {
          state = base.scheme === "file:" ? "file" : "relative";
          at--;
        }
        break;

      case "special relative or authority":
        if (c === "/" && chars[at + 1] === "/") {
          state = "special authority ignore slashes";
          at++;
        } else {
          state = "relative";
          at--;
        }
        break;

      case "path or authority":
        if (c === "/") {
          state = "authority";
        } else {
          state = "path";
          at--;
        }
        break;

      case "relative":
        url.scheme = base.scheme;
        if (c === "/" || (c === "\\" && isSpecial(url))) {
          state = "relative slash";
          break;
        }
        Object.assign(url, { username: base.username, password: base.password, host: base.host, port: base.port, path: base.path.slice(), query: base.query });
        if (c === "?") {
          url.query = "";
          state = "query";
        } else if (c === "#") {
          url.fragment = "";
          state = "fragment";
        } else if (c !== undefined) {
          url.query = null;
          shorten(url);
          state = "path";
          at--;
        }
        break;

      case "relative slash":
        if (isSpecial(url) && (c === "/" || c === "\\")) {
          state = "special authority ignore slashes";
        } else if (c === "/") {
          state = "authority";
        } else {
          Object.assign(url, { username: base.username, password: base.password, host: base.host, port: base.port });
          state = "path";
          at--;
        }
        break;

      case "special authority slashes":
        state = "special authority ignore slashes";
        if (c === "/" && chars[at + 1] === "/") at++;
        else at--;
        break;

      case "special authority ignore slashes":
        if (c !== "/" && c !== "\\") {
          state = "authority";
          at--;
        }
        break;

      case "authority":
        if (c === "@") {
          if (atSeen) buffer = `%40${buffer}`;
          atSeen = true;
          for (const p of buffer) {
            if (p === ":" && !passwordSeen) passwordSeen = true;
            else if (passwordSeen) url.password += encode(p, USERINFO);
            else url.username += encode(p, USERINFO);
          }
          buffer = "";
        } else if (c === undefined || c === "/" || c === "?" || c === "#" || (c === "\\" && isSpecial(url))) {
          if (atSeen && buffer === "") return false;
          at -= Array.from(buffer).length + 1;
          buffer = "";
          state = "host";
        } else {
          buffer += c;
        }
        break;

      case "host":
      case "hostname":
        if (override !== undefined && url.scheme === "file:") {
          at--;
          state = "file host";
        } else if (c === ":" && !inBrackets) {
          if (buffer === "") return false;
          if (override === "hostname") return false;
          const host = parseHost(buffer, !isSpecial(url), (text) => encode(text, CONTROL));
          if (host === undefined) return false;
          url.host = host;
          buffer = "";
          state = "port";
        } else if (c === undefined || c === "/" || c === "?" || c === "#" || (c === "\\" && isSpecial(url))) {
          at--;
          if (isSpecial(url) && buffer === "") return false;
          if (override !== undefined && buffer === "" && (hasCredentials(url) || url.port !== null)) return false;
          const host = buffer === "" ? "" : parseHost(buffer, !isSpecial(url), (text) => encode(text, CONTROL));
          if (host === undefined) return false;
          url.host = host;
          buffer = "";
          state = "path start";
          if (override !== undefined) return true;
        } else {
          if (c === "[") inBrackets = true;
          if (c === "]") inBrackets = false;
          buffer += c;
        }
        break;

      case "port":
        if (c !== undefined && c >= "0" && c <= "9" && c.length === 1) {
          buffer += c;
        } else if (c === undefined || c === "/" || c === "?" || c === "#" || (c === "\\" && isSpecial(url)) || override !== undefined) {
          if (buffer !== "") {
            const port = Number(buffer);
            if (port > 65535) return false;
            url.port = SPECIAL[url.scheme] === port ? null : port;
            buffer = "";
            if (override !== undefined) return true;
          }
          if (override !== undefined) return false;
          state = "path start";
          at--;
        } else {
          return false;
        }
        break;

      case "file":
        url.scheme = "file:";
        url.host = "";
        if (c === "/" || c === "\\") {
          state = "file slash";
        } else if (base !== undefined && base.scheme === "file:") {
          Object.assign(url, { host: base.host, path: base.path.slice(), query: base.query });
          if (c === "?") {
            url.query = "";
            state = "query";
          } else if (c === "#") {
            url.fragment = "";
            state = "fragment";
          } else if (c !== undefined) {
            url.query = null;
            if (startsWithDriveLetter(chars, at)) url.path = [];
            else shorten(url);
            state = "path";
            at--;
          }
        } else {
          state = "path";
          at--;
        }
        break;

      case "file slash":
        if (c === "/" || c === "\\") {
          state = "file host";
        } else {
          if (base !== undefined && base.scheme === "file:") {
            url.host = base.host;
            if (!startsWithDriveLetter(chars, at) && base.path.length > 0 && /^[A-Za-z]:$/.test(base.path[0])) url.path.push(base.path[0]);
          }
          state = "path";
          at--;
        }
        break;

      case "file host":
        if (c === undefined || c === "/" || c === "\\" || c === "?" || c === "#") {
          at--;
          if (override === undefined && isDriveLetter(buffer)) {
            state = "path";
          } else if (buffer === "") {
            url.host = "";
            if (override !== undefined) return true;
            state = "path start";
          } else {
            const host = parseHost(buffer, false);
            if (host === undefined) return false;
            url.host = host === "localhost" ? "" : host;
            if (override !== undefined) return true;
            buffer = "";
            state = "path start";
          }
        } else {
          buffer += c;
        }
        break;

      case "path start":
        if (isSpecial(url)) {
          state = "path";
          if (c !== "/" && c !== "\\") at--;
        } else if (override === undefined && c === "?") {
          url.query = "";
          state = "query";
        } else if (override === undefined && c === "#") {
          url.fragment = "";
          state = "fragment";
        } else if (c !== undefined) {
          state = "path";
          if (c !== "/") at--;
        } else if (override !== undefined && url.host === null) {
          url.path.push("");
        }
        break;

      case "path": {
        const slash = c === "/" || (c === "\\" && isSpecial(url));
        if (c === undefined || slash || (override === undefined && (c === "?" || c === "#"))) {
          if (isDoubleDot(buffer)) {
            shorten(url);
            if (!slash) url.path.push("");
          } else if (isSingleDot(buffer)) {
            if (!slash) url.path.push("");
          } else {
            if (url.scheme === "file:" && url.path.length === 0 && isDriveLetter(buffer)) buffer = `${buffer[0]}:`;
            url.path.push(buffer);
          }
          buffer = "";
          if (c === "?") {
            url.query = "";
            state = "query";
          } else if (c === "#") {
            url.fragment = "";
            state = "fragment";
          }
        } else {
          buffer += encode(c, PATH);
        }
        break;
      }

      case "opaque path":
        if (c === "?" || c === "#") {
          // A space before the query or the fragment would be lost when the URL is written.
          if (url.path.endsWith(" ")) url.path = `${url.path.slice(0, -1)}%20`;
          if (c === "?") {
            url.query = "";
            state = "query";
          } else {
            url.fragment = "";
            state = "fragment";
          }
        } else if (c !== undefined) {
          url.path += encode(c, CONTROL);
        }
        break;

      case "query":
        if (c === undefined || (override === undefined && c === "#")) {
          url.query += encode(buffer, isSpecial(url) ? SPECIAL_QUERY : QUERY);
          buffer = "";
          if (c === "#") {
            url.fragment = "";
            state = "fragment";
          }
        } else {
          buffer += c;
        }
        break;

      case "fragment":
        if (c !== undefined) buffer += c;
        else url.fragment += encode(buffer, FRAGMENT);
        break;
    }
    if (at >= end) return true;
  }
}

const pathOf = (url) => (typeof url.path === "string" ? url.path : url.path.map((segment) => `/${segment}`).join(""));

function serialize(url, withoutFragment) {
  let text = url.scheme;
  if (url.host !== null) {
    text += "//";
    if (hasCredentials(url)) text += `${url.username}${url.password === "" ? "" : `:${url.password}`}@`;
    text += url.host;
    if (url.port !== null) text += `:${url.port}`;
  } else if (typeof url.path !== "string" && url.path.length > 1 && url.path[0] === "") {
    text += "/.";
  }
  text += pathOf(url);
  if (url.query !== null) text += `?${url.query}`;
  if (!withoutFragment && url.fragment !== null) text += `#${url.fragment}`;
  return text;
}

function parseOrNull(input, base) {
  let baseUrl;
  if (base !== undefined) {
    baseUrl = empty();
    if (!parse(`${base}`.toWellFormed(), undefined, baseUrl)) return null;
  }
  const url = empty();
  return parse(`${input}`.toWellFormed(), baseUrl, url) ? url : null;
}

const KEY = Symbol("parsed");

export class URL {
  #url;
  #query;

  constructor(input, base) {
    if (arguments.length === 0) throw new TypeError("URL: a URL is needed");
    const url = base?.[KEY] ?? parseOrNull(input, base);
    if (url === null) {
      const error = new TypeError("Invalid URL");
      error.code = "ERR_INVALID_URL";
      error.input = `${input}`;
      if (base !== undefined) error.base = `${base}`;
      throw error;
    }
    this.#url = url;
  }

  static canParse(input, base) {
    return parseOrNull(input, base) !== null;
  }

  static parse(input, base) {
    const url = parseOrNull(input, base);
    return url === null ? null : new URL("", { [KEY]: url });
  }

  // The same URL with a part set; nothing is set where that fails.
  #set(value, override, change) {
    const url = { ...this.#url, path: typeof this.#url.path === "string" ? this.#url.path : this.#url.path.slice() };
    change?.(url);
    if (parse(`${value}`.toWellFormed(), undefined, url, override)) this.#url = url;
  }

  #queryChanged() {
    if (this.#query !== undefined) setQuery(this.#query, this.#url.query ?? "");
  }

  get href() { return serialize(this.#url); }
  set href(value) {
    const url = parseOrNull(value);
    if (url === null) throw Object.assign(new TypeError("Invalid URL"), { code: "ERR_INVALID_URL", input: `${value}` });
    this.#url = url;
    this.#queryChanged();
  }

  get origin() {
    const { scheme, host, port, path } = this.#url;
    if (scheme === "blob:" && typeof path === "string") {
      const inner = parseOrNull(path);
      return inner !== null && (inner.scheme === "http:" || inner.scheme === "https:") ? new URL("", { [KEY]: inner }).origin : "null";
    }
    if (!(scheme in SPECIAL) || scheme === "file:") return "null";
    return `${scheme}//${host}${port === null ? "" : `:${port}`}`;
  }

  get protocol() { return this.#url.scheme; }
  set protocol(value) { this.#set(`${value}:`, "scheme start"); }

  get username() { return this.#url.username; }
  set username(value) {
    if (!cannotHaveCredentials(this.#url)) this.#url.username = encode(`${value}`.toWellFormed(), USERINFO);
  }

  get password() { return this.#url.password; }
  set password(value) {
    if (!cannotHaveCredentials(this.#url)) this.#url.password = encode(`${value}`.toWellFormed(), USERINFO);
  }

  get host() {
    const { host, port } = this.#url;
    return host === null ? "" : port === null ? host : `${host}:${port}`;
  }
  set host(value) {
    if (typeof this.#url.path === "string") return;
    // A port that is none does not undo the host before it.
    const before = this.#url;
    this.#set(value, "host");
    if (this.#url === before) {
      const colon = /^(\[[^\]]*\]|[^:/?#\\[]+):/.exec(`${value}`.replace(/[\t\n\r]/g, ""));
      if (colon !== null && before.scheme !== "file:") this.#set(colon[1], "host");
    }
  }

  get hostname() { return this.#url.host ?? ""; }
  set hostname(value) {
    if (typeof this.#url.path !== "string") this.#set(value, "hostname");
  }

  get port() { return this.#url.port === null ? "" : String(this.#url.port); }
  set port(value) {
    if (cannotHaveCredentials(this.#url)) return;
    if (`${value}` === "") this.#url.port = null;
    else this.#set(value, "port");
  }

  get pathname() { return pathOf(this.#url); }
  set pathname(value) {
    if (typeof this.#url.path !== "string") this.#set(value, "path start", (url) => (url.path = []));
  }

  get search() { return this.#url.query ? `?${this.#url.query}` : ""; }
  set search(value) {
    value = `${value}`;
    if (value === "") this.#url.query = null;
    else this.#set(value[0] === "?" ? value.slice(1) : value, "query", (url) => (url.query = ""));
    this.#queryChanged();
  }

  get searchParams() {
    if (this.#query === undefined) {
      this.#query = new URLSearchParams(this.#url.query ?? "");
      bindQuery(this.#query, (text) => (this.#url.query = text === "" ? null : text));
    }
    return this.#query;
  }

  get hash() { return this.#url.fragment ? `#${this.#url.fragment}` : ""; }
  set hash(value) {
    value = `${value}`;
    if (value === "") this.#url.fragment = null;
    else this.#set(value[0] === "#" ? value.slice(1) : value, "fragment", (url) => (url.fragment = ""));
  }

  toString() { return this.href; }
  toJSON() { return this.href; }
}
for (const name of ["href", "origin", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "searchParams", "hash", "toString", "toJSON"]) {
  Object.defineProperty(URL.prototype, name, { enumerable: true });
}
Object.defineProperty(URL.prototype, Symbol.toStringTag, { value: "URL", configurable: true });
export { URLSearchParams };
