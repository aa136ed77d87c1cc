// An agent: `run` is handed the input and returns the result, both JSON.

export function run(input) {
  const name = input?.name ?? "world";
  console.log(`greeting ${name}`);
  return { greeting: `Hello, ${name}!` };
}
