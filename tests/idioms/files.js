// What agents do with files, each by its name. `input.directory` may be read and written, and is empty.
import { CapabilityDenied, FileError, files } from "oacp";

const codeOf = (attempt) => {
  try {
    attempt();
    return "nothing was thrown";
  } catch (error) {
    return error instanceof FileError || error instanceof CapabilityDenied ? error.code : error.name;
  }
};

export function run({ directory }) {
  const at = (name) => `${directory}/${name}`;
  const idioms = {};

  files.write(at("letter.txt"), "grüße\n");
  idioms["write and read text"] = files.readText(at("letter.txt"));

  files.write(at("letter.txt"), "new\n");
  idioms["replace a file"] = files.readText(at("letter.txt"));

  files.append(at("letter.txt"), "more\n");
  idioms["append, and read the lines"] = files.readText(at("letter.txt")).trimEnd().split("\n");

  files.write(at("table.bin"), Uint8Array.of(0, 255, 128));
  idioms["bytes"] = Array.from(files.readBytes(at("table.bin")));

  files.write(at("prices.json"), JSON.stringify({ apple: 1.5 }));
  idioms["JSON"] = files.readJson(at("prices.json"));

  files.create(at("lock"));
  idioms["create once"] = codeOf(() => files.create(at("lock")));

  idioms["status of a file"] = files.status(at("table.bin"));
  idioms["status of what is not there"] = files.status(at("none"));
  idioms["exists"] = [files.exists(at("lock")), files.exists(at("none"))];

  files.makeDirectory(at("a/b/c"), { recursive: true });
  files.makeDirectory(at("a/b/c"), { recursive: true });
  files.write(at("a/b/c/deep.txt"), "deep");
  idioms["make directories"] = files.status(at("a/b"));

  idioms["list a directory"] = files.list(directory);

  const found = [];
  const walk = (path) => {
    for (const { name, kind } of files.list(path)) {
      if (kind === "directory") walk(`${path}/${name}`);
      else found.push(`${path}/${name}`.slice(directory.length + 1));
    }
  };
  walk(directory);
  idioms["walk a tree"] = found;

  files.rename(at("a/b/c/deep.txt"), at("moved.txt"));
  idioms["rename"] = [files.exists(at("a/b/c/deep.txt")), files.readText(at("moved.txt"))];

  files.remove(at("moved.txt"));
  files.remove(at("a/b/c"));
  idioms["remove"] = [files.exists(at("moved.txt")), files.exists(at("a/b/c"))];

  idioms["remove what is not empty"] = codeOf(() => files.remove(at("a")));
  idioms["read what is not there"] = codeOf(() => files.readText(at("none")));
  idioms["read a directory"] = codeOf(() => files.readText(directory));
  idioms["list a file"] = codeOf(() => files.list(at("lock")));
  idioms["read text that is none"] = codeOf(() => files.readText(at("table.bin")));
  idioms["read what is not granted"] = codeOf(() => files.readText("/not/granted/at/all"));
  return idioms;
}
