// `files`: the files that the run was granted. Nothing of it waits for the outside, so all of it is synchronous.
import * as native from "oacp:native";
import { denied } from "./denied.js";
import { bytesOf } from "./encoding.js";

const CREATE = 0;
const REPLACE = 1;
const APPEND = 2;

/** A file could not be had, or not be written. */
export class FileError extends Error {
  constructor(message, { code = "io", path = "", cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.path = path;
  }
}
Object.defineProperty(FileError.prototype, "name", { value: "FileError", writable: true, configurable: true });

function checked(path, who) {
  if (typeof path !== "string") throw new TypeError(`${who}: a path is a string, not ${path === null ? "null" : `of type ${typeof path}`}`);
  return path;
}

function taken([value, code, message, detail], path) {
  if (code === undefined) return value;
  throw code === "denied" ? denied(message, detail) : new FileError(message, { code, path });
}

function write(path, content, mode, who) {
  checked(path, who);
  let bytes;
  if (typeof content === "string") bytes = native.encode(content);
  else if (ArrayBuffer.isView(content) || content instanceof ArrayBuffer) bytes = bytesOf(content, who);
  else throw new TypeError(`${who}: the content is a string or bytes; make a string of anything else, as by JSON.stringify`);
  taken(native.write(path, bytes, mode), path);
}

function text(path, who) {
  const content = native.decode(taken(native.read(checked(path, who)), path), true);
  if (content === undefined) throw new FileError(`\`${path}\` is not UTF-8; use readBytes`, { code: "not_utf8", path });
  return content;
}

function parent(path) {
  const end = path.replace(/\/+$/, "").lastIndexOf("/");
  return end < 0 ? undefined : path.slice(0, end) || undefined;
}

// From the innermost on outwards: a directory that is there need not be one that may be made.
function makeAll(path) {
  const failure = native.makeDirectory(path);
  const code = failure[1];
  if (code === "exists" && taken(native.status(path), path)?.kind === "directory") return;
  const outer = code === "not_found" ? parent(path) : undefined;
  if (outer === undefined) return taken(failure, path);
  makeAll(outer);
  taken(native.makeDirectory(path), path);
}

/** Files. Paths are absolute, or relative to the working directory. */
export const files = {
  workingDirectory: () => native.workingDirectory(),

  readText: (path) => text(path, "readText"),
  readBytes: (path) => taken(native.read(checked(path, "readBytes")), path),
  readJson(path) {
    const content = text(path, "readJson");
    try {
      return JSON.parse(content[0] === "\uFEFF" ? content.slice(1) : content);
    } catch (error) {
      throw new FileError(`\`${path}\` is not JSON: ${error.message}`, { code: "not_json", path, cause: error });
    }
  },

  /** Creates the file, or replaces it. */
  write: (path, content) => write(path, content, REPLACE, "write"),
  /** Creates the file, or adds to its end. */
  append: (path, content) => write(path, content, APPEND, "append"),
  /** Fails with `exists` if there is something of that name. */
  create: (path, content = "") => write(path, content, CREATE, "create"),

  /** `[{ name, kind }]`, sorted by name. */
  list: (path = ".") => taken(native.list(checked(path, "list")), path),
  /** `{ kind, size }`, or null where there is nothing of that name. */
  status: (path) => taken(native.status(checked(path, "status")), path),
  exists: (path) => taken(native.status(checked(path, "exists")), path) !== null,

  makeDirectory(path, options) {
    checked(path, "makeDirectory");
    if (options?.recursive) makeAll(path);
    else taken(native.makeDirectory(path), path);
  },
  /** A file, or an empty directory. */
  remove: (path) => void taken(native.remove(checked(path, "remove")), path),
  rename: (from, to) => void taken(native.rename(checked(from, "rename"), checked(to, "rename")), from),
};
