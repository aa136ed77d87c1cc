// Several jobs at once, at most `width` of them: results in the order of the input, whoever is first.
const sleep = (ms, value) => new Promise((resolve) => setTimeout(resolve, ms, value));

async function mapLimited(items, width, work) {
  const results = new Array(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}

export async function run({ jobs, width }) {
  const finished = [];
  const results = await mapLimited(jobs, width, async ({ name, ms }) => {
    await sleep(ms);
    finished.push(name);
    return name.toUpperCase();
  });
  const first = await Promise.any(jobs.map(({ name, ms }) => sleep(ms, name)));
  const settled = await Promise.allSettled([sleep(1, "done"), Promise.reject(new RangeError("too far"))]);
  return { results, finished, first, settled: settled.map((one) => one.value ?? String(one.reason)) };
}
