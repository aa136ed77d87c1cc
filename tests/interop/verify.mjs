// Verifies Sigstore bundles with @sigstore/verify, given the key from outside. Usage: verify.mjs FOLDER...
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { bundleFromJSON } from "@sigstore/bundle";
import { toSignedEntity, toTrustMaterial, VerificationError, Verifier } from "@sigstore/verify";

let checks = 0;
let surprises = 0;

function check(what, holds) {
  checks += 1;
  surprises += holds ? 0 : 1;
  console.log(`${holds ? "ok" : "NOT OK"}`.padEnd(6), what);
}

/** Whether the bundle verifies, where `keys` says which key a hint means. */
function verifies(bundle, keys) {
  const root = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
  const material = toTrustMaterial(root, (hint) => {
    if (!keys.has(hint)) throw new VerificationError({ code: "PUBLIC_KEY_ERROR", message: `no key ${hint}` });
    return { publicKey: keys.get(hint), validFor: () => true };
  });
  // OACP's proofs of logging are its own; here it is the signature that is verified.
  const verifier = new Verifier(material, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 });
  try {
    verifier.verify(toSignedEntity(bundleFromJSON(bundle)));
    return true;
  } catch (error) {
    // Anything else is an error in the test.
    if (error instanceof VerificationError) return false;
    throw error;
  }
}

/** Base64 of the same bytes but for one bit. */
function flipped(text, index) {
  const bytes = Buffer.from(text, "base64");
  bytes[index < 0 ? bytes.length + index : index] ^= 1;
  return bytes.toString("base64");
}

for (const folder of process.argv.slice(2)) {
  const name = `${basename(folder)}: @sigstore/verify`;
  const bundle = JSON.parse(readFileSync(join(folder, "sigstore.json"), "utf8"));
  const key = createPublicKey(readFileSync(join(folder, "key.pem"), "utf8"));
  const { hint } = bundle.verificationMaterial.publicKey;
  const keys = new Map([[hint, key]]);
  check(`${name} verifies the bundle`, verifies(bundle, keys));

  const envelope = bundle.dsseEnvelope;
  const [{ keyid, sig }] = envelope.signatures;
  const altered = {
    "its payload's first byte changed": { payload: flipped(envelope.payload, 0) },
    "its payload's last byte changed": { payload: flipped(envelope.payload, -1) },
    "another payload type": { payloadType: "application/json" },
    "the signature's R changed": { signatures: [{ keyid, sig: flipped(sig, 0) }] },
    "the signature's S changed": { signatures: [{ keyid, sig: flipped(sig, 32) }] },
  };
  for (const [what, change] of Object.entries(altered)) {
    const other = { ...bundle, dsseEnvelope: { ...envelope, ...change } };
    check(`${name} refuses it with ${what}`, !verifies(other, keys));
  }
  const { publicKey: other } = generateKeyPairSync("ed25519");
  check(`${name} refuses it under another key`, !verifies(bundle, new Map([[hint, other]])));
  check(`${name} refuses it under no key`, !verifies(bundle, new Map()));
}
console.log(`Node: ${checks - surprises} passed, ${surprises} failed`);
process.exit(surprises !== 0 || checks === 0 ? 1 : 0);
