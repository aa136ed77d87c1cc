// Text as UTF-8, base64 and hexadecimal, there and back, and its SHA-256.
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export async function run({ text }) {
  const bytes = new TextEncoder().encode(text);
  const base64 = btoa(String.fromCharCode(...bytes));
  const back = new TextDecoder().decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return {
    characters: [...text].length,
    bytes: bytes.length,
    base64,
    hex: hex(bytes.subarray(0, 8)),
    sha256: hex(digest),
    same: back === text,
    repaired: new TextDecoder().decode(new Uint8Array([0x61, 0xff, 0x62])),
  };
}
