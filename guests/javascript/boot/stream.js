// ReadableStream, as far as bodies need it: no writable side, no transforms, no readers that bring their own buffer.

let lock; // (stream, reader)
let unlock; // (stream)
let read; // (stream) → promise of { value, done }
let cancel; // (stream, reason) → promise
let endOf; // (stream) → [state, error]
export let isDisturbed; // (stream): whether something has been read of it, or it was cancelled

export class ReadableStream {
  #source;
  #controller;
  #highWaterMark;
  #queue = [];
  #reads = []; // that wait for a chunk
  #state = "readable"; // "closed", "errored"
  #error;
  #closing = false; // closed as soon as the queue is empty
  #reader; // who has locked it
  #disturbed = false;
  #started = false;
  #pulling = false;
  #pullAgain = false;

  static {
    lock = (stream, reader) => void (stream.#reader = reader);
    unlock = (stream) => {
      stream.#reader = undefined;
      const error = new TypeError("the reader was released");
      for (const one of stream.#reads.splice(0)) one.reject(error);
    };
    read = (stream) => stream.#read();
    cancel = (stream, reason) => stream.#cancel(reason);
    endOf = (stream) => [stream.#state, stream.#error];
    isDisturbed = (stream) => stream.#disturbed;
  }

  constructor(source, strategy) {
    this.#source = source ?? {};
    this.#highWaterMark = strategy?.highWaterMark ?? 1;
    const stream = this;
    this.#controller = {
      get desiredSize() { return stream.#desired(); },
      enqueue: (chunk) => stream.#enqueue(chunk),
      close: () => stream.#close(),
      error: (error) => stream.#fail(error),
    };
    const started = this.#source.start?.(this.#controller);
    Promise.resolve(started).then(
      () => {
        this.#started = true;
        this.#pull();
      },
      (error) => this.#fail(error),
    );
  }

  #desired() {
    if (this.#state === "errored") return null;
    return this.#state === "closed" ? 0 : this.#highWaterMark - this.#queue.length;
  }

  #pull() {
    if (!this.#started || this.#state !== "readable" || this.#closing) return;
    if (this.#reads.length === 0 && this.#desired() <= 0) return;
    if (this.#pulling) {
      this.#pullAgain = true;
      return;
    }
    this.#pulling = true;
    new Promise((resolve) => resolve(this.#source.pull?.(this.#controller))).then(
      () => {
        this.#pulling = false;
        if (!this.#pullAgain) return;
        this.#pullAgain = false;
        this.#pull();
      },
      (error) => this.#fail(error),
    );
  }

  #enqueue(chunk) {
    if (this.#state !== "readable" || this.#closing) throw new TypeError("enqueue: the stream is closed");
    const one = this.#reads.shift();
    if (one === undefined) this.#queue.push(chunk);
    else one.resolve({ value: chunk, done: false });
    this.#pull();
  }

  #close() {
    if (this.#state !== "readable" || this.#closing) throw new TypeError("close: the stream is closed");
    this.#closing = true;
    if (this.#queue.length === 0) this.#end();
  }

  #end() {
    this.#state = "closed";
    for (const one of this.#reads.splice(0)) one.resolve({ value: undefined, done: true });
    this.#reader?.ended();
  }

  #fail(error) {
    if (this.#state !== "readable") return;
    this.#state = "errored";
    this.#error = error;
    this.#queue = [];
    for (const one of this.#reads.splice(0)) one.reject(error);
    this.#reader?.ended();
  }

  async #read() {
    this.#disturbed = true;
    if (this.#state === "errored") throw this.#error;
    if (this.#queue.length > 0) {
      const value = this.#queue.shift();
      if (this.#closing && this.#queue.length === 0) this.#end();
      else this.#pull();
      return { value, done: false };
    }
    if (this.#state === "closed") return { value: undefined, done: true };
    const { promise, ...one } = Promise.withResolvers();
    this.#reads.push(one);
    this.#pull();
    return promise;
  }

  async #cancel(reason) {
    this.#disturbed = true;
    if (this.#state === "errored") throw this.#error;
    if (this.#state === "closed") return;
    this.#queue = [];
    this.#end();
    await this.#source.cancel?.(reason);
  }

  get locked() { return this.#reader !== undefined; }

  async cancel(reason) {
    if (this.locked) throw new TypeError("cancel: the stream is locked by a reader");
    await this.#cancel(reason);
  }

  getReader(options) {
    if (options?.mode !== undefined) throw new TypeError(`getReader: there is no mode \`${options.mode}\` here`);
    return new ReadableStreamDefaultReader(this);
  }

  /** Two streams with the same chunks. */
  tee() {
    const reader = this.getReader();
    const branches = [];
    const cancelled = [];
    let reading = false;
    const pull = async () => {
      if (reading) return;
      reading = true;
      try {
        const { value, done } = await reader.read();
        branches.forEach((to, i) => {
          if (cancelled[i]) return;
          if (done) to.close();
          else to.enqueue(i === 1 && value instanceof Uint8Array ? value.slice() : value);
        });
      } catch (error) {
        for (const to of branches) to.error(error);
      } finally {
        reading = false;
      }
    };
    return [0, 1].map((i) => new ReadableStream({
      start: (controller) => void (branches[i] = controller),
      pull,
      cancel: async (reason) => {
        cancelled[i] = true;
        if (cancelled[1 - i]) await reader.cancel(reason);
      },
    }));
  }

  async *values({ preventCancel = false } = {}) {
    const reader = this.getReader();
    let finished = false;
    try {
      for (;;) {
        const { value, done } = await reader.read().catch((error) => {
          finished = true;
          throw error;
        });
        if (done) {
          finished = true;
          return;
        }
        yield value;
      }
    } finally {
      if (!finished && !preventCancel) await reader.cancel();
      reader.releaseLock();
    }
  }

  static from(iterable) {
    const iterator = iterable[Symbol.asyncIterator]?.() ?? iterable[Symbol.iterator]();
    return new ReadableStream({
      async pull(controller) {
        const { value, done } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(await value);
      },
      async cancel(reason) {
        await iterator.return?.(reason);
      },
    }, { highWaterMark: 0 });
  }
}
Object.defineProperty(ReadableStream.prototype, Symbol.asyncIterator, { value: ReadableStream.prototype.values, writable: true, configurable: true });

class ReadableStreamDefaultReader {
  #stream;
  #closed = Promise.withResolvers();

  constructor(stream) {
    if (stream.locked) throw new TypeError("getReader: the stream is locked by a reader");
    this.#stream = stream;
    this.#closed.promise.catch(() => {}); // nobody has to look at it
    const ended = () => {
      const [state, error] = endOf(stream);
      if (state === "closed") this.#closed.resolve();
      else if (state === "errored") this.#closed.reject(error);
    };
    lock(stream, { ended });
    ended();
  }

  #locked() {
    if (this.#stream === undefined) throw new TypeError("the reader was released");
    return this.#stream;
  }

  get closed() { return this.#closed.promise; }
  async read() { return read(this.#locked()); }
  async cancel(reason) { return cancel(this.#locked(), reason); }

  releaseLock() {
    if (this.#stream === undefined) return;
    this.#closed.reject(new TypeError("the reader was released"));
    unlock(this.#stream);
    this.#stream = undefined;
  }
}

/** All bytes of `stream`, as one array. */
export async function drain(stream) {
  const reader = stream.getReader();
  const chunks = [];
  let length = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    if (!(value instanceof Uint8Array)) {
      const error = new TypeError("a body's stream gave something that is not a Uint8Array");
      await reader.cancel(error);
      throw error;
    }
    chunks.push(value);
    length += value.length;
  }
  return concat(chunks, length);
}

export function concat(chunks, length = chunks.reduce((sum, chunk) => sum + chunk.length, 0)) {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** A stream that gives `bytes` as one chunk. */
export function streamOf(bytes) {
  return new ReadableStream({
    start(controller) {
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
    },
  });
}
