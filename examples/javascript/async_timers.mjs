// Retries a flaky step with growing pauses, and gives up a slow one after a time limit.
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function retry(step, tries, pause) {
  for (let attempt = 1; ; attempt++) {
    try {
      return { attempt, value: await step(attempt) };
    } catch (error) {
      if (attempt === tries) throw error;
      console.info(`attempt ${attempt}: ${error.message}; again in ${pause} ms`);
      await sleep(pause);
      pause *= 2;
    }
  }
}

async function within(ms, promise) {
  const signal = AbortSignal.timeout(ms);
  const late = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  return Promise.race([promise, late]);
}

export async function run({ failures, limit }) {
  const flaky = async (attempt) => {
    if (attempt <= failures) throw new Error("not ready");
    return "ready";
  };
  const retried = await retry(flaky, failures + 1, 10);
  const slow = await within(limit, sleep(limit * 10)).catch((error) => error.name);
  return { retried, slow };
}
