// Hosts of URLs: domains, IPv4 and IPv6 addresses, as the URL Standard has them. Where that asks for the
// mapping of UTS #46, this takes Unicode's compatibility normalization and lower case, which gives
// the same for all but unusual characters; the rules for right-to-left labels are not checked.
import * as native from "oacp:native";

const FORBIDDEN_HOST = /[\0\t\n\r #/:<>?@[\\\]^|]/;
const FORBIDDEN_DOMAIN = /[\0-\x20#%/:<>?@[\\\]^|\x7f]/;
const IGNORED = /[\u00AD\u034F\u180B-\u180D\u180F\u200B\u2060\u2064\uFE00-\uFE0F\uFEFF\u{E0100}-\u{E01EF}]/gu;
const INVALID = /[\p{Cn}\p{Co}\p{Cs}\p{Cc}\p{Zl}\p{Zp}\p{Zs}\u061C\u200E\u200F\u202A-\u202E\u2061-\u2063\u2066-\u206F\uFFF9-\uFFFD]/u;
const ASCII = /^[\0-\x7f]*$/;

const BASE = 36;
const ADD = "abcdefghijklmnopqrstuvwxyz0123456789";

function adapt(delta, count, first) {
  delta = first ? Math.floor(delta / 700) : delta >> 1;
  delta += Math.floor(delta / count);
  let k = 0;
  for (; delta > 455; k += BASE) delta = Math.floor(delta / 35);
  return k + Math.floor((36 * delta) / (delta + 38));
}

function punycode(label) {
  const points = Array.from(label, (c) => c.codePointAt(0));
  let output = points.filter((p) => p < 128).map((p) => String.fromCharCode(p)).join("");
  let handled = output.length;
  const basic = handled;
  if (basic > 0) output += "-";
  let n = 128;
  let delta = 0;
  let bias = 72;
  while (handled < points.length) {
    const next = Math.min(...points.filter((p) => p >= n));
    delta += (next - n) * (handled + 1);
    n = next;
    for (const p of points) {
      if (p < n) delta++;
      if (p !== n) continue;
      let q = delta;
      for (let k = BASE; ; k += BASE) {
        const t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
        if (q < t) break;
        output += ADD[t + ((q - t) % (BASE - t))];
        q = Math.floor((q - t) / (BASE - t));
      }
      output += ADD[q];
      bias = adapt(delta, handled + 1, handled === basic);
      delta = 0;
      handled++;
    }
    delta++;
    n++;
  }
  return output;
}

function fromPunycode(text) {
  const split = text.lastIndexOf("-");
  const output = split > 0 ? Array.from(text.slice(0, split), (c) => c.charCodeAt(0)) : [];
  let n = 128;
  let i = 0;
  let bias = 72;
  for (let at = split > 0 ? split + 1 : 0; at < text.length; ) {
    const start = i;
    for (let weight = 1, k = BASE; ; k += BASE) {
      const digit = at < text.length ? ADD.indexOf(text[at++]) : -1;
      if (digit < 0) return undefined;
      i += digit * weight;
      if (i > 0x7fffffff) return undefined;
      const t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
      if (digit < t) break;
      weight *= BASE - t;
    }
    const length = output.length + 1;
    bias = adapt(i - start, length, start === 0);
    n += Math.floor(i / length);
    i %= length;
    if (n > 0x10ffff || (n >= 0xd800 && n < 0xe000)) return undefined;
    output.splice(i++, 0, n);
  }
  return String.fromCodePoint(...output);
}

function map(domain) {
  const lower = Array.from(domain.replace(IGNORED, ""), (c) => c.toLowerCase()).join("");
  return Array.from(lower.normalize("NFKC"), (c) => c.toLowerCase()).join("").normalize("NFKC").replaceAll("\u3002", ".").replace(IGNORED, "");
}

function validLabel(label) {
  if (INVALID.test(label) || /^\p{M}/u.test(label)) return false;
  for (const found of label.matchAll(/[\u200C\u200D]/g)) {
    // Joiners stand after a virama, or, for the first of them, between letters that join.
    const before = label.slice(0, found.index);
    const virama = /[\u094D\u09CD\u0A4D\u0ACD\u0B4D\u0BCD\u0C4D\u0CCD\u0D3B\u0D3C\u0D4D\u0DCA\u0E3A\u0EBA\u0F84\u1039\u103A\u1714\u1734\u17D2\u1A60\u1B44\u1BAA\u1BAB\u1BF2\u1BF3\u2D7F\uA806\uA8C4\uA953\uA9C0\uAAF6\uABED]$/u.test(before);
    const joins = found[0] === "\u200C" && /[\u0620\u0626\u0628\u062A-\u062E\u0633-\u063F\u0641-\u0647\u0649\u064A\u066E\u066F\u0678-\u0687\u069A-\u06BF\u06C1\u06C2\u06CC\u06CE\u06D0\u06D1]\p{M}*$/u.test(before)
      && /^\p{M}*[\u0620-\u064A\u066E-\u06D3]/u.test(label.slice(found.index + 1));
    if (!virama && !joins) return false;
  }
  return true;
}

function domainToASCII(domain) {
  if (ASCII.test(domain)) {
    domain = domain.toLowerCase();
    if (!domain.includes("xn--")) return domain;
  } else {
    domain = map(domain);
  }
  const labels = [];
  for (const label of domain.split(".")) {
    if (label.startsWith("xn--")) {
      const text = ASCII.test(label) ? fromPunycode(label.slice(4)) : undefined;
      if (text === undefined || text === "" || ASCII.test(text) || map(text) !== text || text.includes(".") || !validLabel(text)) return undefined;
      labels.push(label);
    } else if (ASCII.test(label)) {
      labels.push(label);
    } else {
      if (!validLabel(label)) return undefined;
      labels.push(`xn--${punycode(label)}`);
    }
  }
  return labels.join(".");
}

function ipv4Number(text) {
  if (text === "") return undefined;
  let digits = text;
  let radix = 10;
  if (/^0x/i.test(text)) {
    digits = text.slice(2);
    radix = 16;
  } else if (text.length > 1 && text[0] === "0") {
    digits = text.slice(1);
    radix = 8;
  }
  if (digits === "") return 0;
  if (!(radix === 16 ? /^[0-9a-f]+$/i : radix === 8 ? /^[0-7]+$/ : /^[0-9]+$/).test(digits)) return undefined;
  return Number.parseInt(digits, radix);
}

function endsInNumber(domain) {
  const parts = domain.split(".");
  if (parts.at(-1) === "") {
    if (parts.length === 1) return false;
    parts.pop();
  }
  const last = parts.at(-1);
  return /^[0-9]+$/.test(last) || /^0x[0-9a-f]*$/i.test(last);
}

function ipv4(domain) {
  const parts = domain.split(".");
  if (parts.at(-1) === "" && parts.length > 1) parts.pop();
  if (parts.length > 4) return undefined;
  const numbers = parts.map(ipv4Number);
  if (numbers.includes(undefined) || numbers.slice(0, -1).some((n) => n > 255)) return undefined;
  const last = numbers.pop();
  if (last >= 256 ** (4 - numbers.length)) return undefined;
  const address = numbers.reduce((sum, n, i) => sum + n * 256 ** (3 - i), last);
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

function ipv6(text) {
  const pieces = [0, 0, 0, 0, 0, 0, 0, 0];
  let piece = 0;
  let compress = -1;
  let at = 0;
  if (text[at] === ":") {
    if (text[at + 1] !== ":") return undefined;
    at += 2;
    compress = ++piece;
  }
  while (at < text.length) {
    if (piece === 8) return undefined;
    if (text[at] === ":") {
      if (compress >= 0) return undefined;
      at++;
      compress = ++piece;
      continue;
    }
    const digits = /^[0-9a-f]{0,4}/i.exec(text.slice(at))[0];
    at += digits.length;
    if (text[at] === ".") {
      if (digits.length === 0 || piece > 6) return undefined;
      const found = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text.slice(at - digits.length));
      if (found === null) return undefined;
      const bytes = found.slice(1).map((part) => (part.length > 1 && part[0] === "0" ? 256 : Number(part)));
      if (bytes.some((byte) => byte > 255)) return undefined;
      pieces[piece++] = bytes[0] * 256 + bytes[1];
      pieces[piece++] = bytes[2] * 256 + bytes[3];
      at = text.length;
      break;
    }
    if (text[at] === ":") {
      if (++at === text.length) return undefined;
    } else if (at < text.length) {
      return undefined;
    }
    pieces[piece++] = Number.parseInt(digits, 16);
  }
  if (compress >= 0) {
    const moved = pieces.splice(compress, piece - compress);
    while (pieces.length + moved.length < 8) pieces.splice(compress, 0, 0);
    pieces.length = 8 - moved.length;
    pieces.push(...moved);
  } else if (piece !== 8) {
    return undefined;
  }
  // The first longest run of two zeros or more is written as `::`.
  let best = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && pieces[end] === 0) end++;
    if (end - i > length) {
      best = i;
      length = end - i;
    }
    if (end > i) i = end;
  }
  const hex = pieces.map((n) => n.toString(16));
  if (best < 0) return `[${hex.join(":")}]`;
  return `[${hex.slice(0, best).join(":")}::${hex.slice(best + length).join(":")}]`;
}

/** The bytes that `text` stands for when its percent escapes are resolved. */
export function percentDecode(text) {
  const bytes = native.encode(text);
  if (!text.includes("%")) return bytes;
  const output = new Uint8Array(bytes.length);
  let n = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === 0x25 && i + 2 < bytes.length) {
      const two = String.fromCharCode(bytes[i + 1], bytes[i + 2]);
      if (/^[0-9a-f]{2}$/i.test(two)) {
        output[n++] = Number.parseInt(two, 16);
        i += 2;
        continue;
      }
    }
    output[n++] = bytes[i];
  }
  return output.subarray(0, n);
}

/** The serialized host, or undefined where `text` is none. `encodeOpaque` encodes an opaque host. */
export function parseHost(text, isOpaque, encodeOpaque) {
  if (text[0] === "[") return text.at(-1) === "]" ? ipv6(text.slice(1, -1)) : undefined;
  if (isOpaque) return FORBIDDEN_HOST.test(text) ? undefined : encodeOpaque(text);
  const domain = domainToASCII(native.decode(percentDecode(text), false));
  if (domain === undefined || domain === "" || FORBIDDEN_DOMAIN.test(domain)) return undefined;
  return endsInNumber(domain) ? ipv4(domain) : domain;
}
