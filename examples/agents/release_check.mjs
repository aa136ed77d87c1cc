// Prepares a release: checks its picture, and writes the digests of its files into the manifest.
import { files, tools } from "oacp";

export async function run({ manifest, directory, picture }) {
  // A command's own working directory is `/`: it is given absolute paths.
  const folder = `${files.workingDirectory()}/${directory}`;
  const paths = files.list(folder).map(({ name }) => `${folder}/${name}`);
  const [sums, image] = await Promise.all([
    tools.call("checksum", { args: paths }),
    tools.call("image_info", { file: files.readBytes(`${folder}/${picture.name}`).toBase64() }),
  ]);
  if (sums.status !== 0) throw new Error(sums.stderr);
  if (image.width < picture.width_least) throw new Error(`${picture.name} is ${image.width} pixels wide, not ${picture.width_least}`);

  const digests = sums.stdout.trimEnd().split("\n").map((line) => line.split("  "));
  const patch = [
    { op: "test", path: "/version", value: manifest.version },
    { op: "add", path: "/files", value: {} },
    ...digests.map(([digest, path]) => ({ op: "add", path: `/files/${path.split("/").pop()}`, value: { sha256: digest } })),
    { op: "add", path: `/files/${picture.name}/picture`, value: image },
    { op: "replace", path: "/status", value: "ready" },
  ];
  return tools.call("json_patch", { target: manifest, patch });
}
