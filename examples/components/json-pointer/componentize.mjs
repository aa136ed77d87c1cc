// componentize.mjs DIRECTORY OUTPUT.wasm
import { componentize } from '@bytecodealliance/componentize-js';
import { writeFile } from 'node:fs/promises';

const [directory, output] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath: `${directory}/json_pointer.js`,
  witPath: `${directory}/world.wit`,
  worldName: 'json-pointer',
  disableFeatures: ['clocks', 'fetch-event', 'http', 'random', 'stdio'], // so that it imports nothing
});
await writeFile(output, component);
