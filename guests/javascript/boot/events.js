// Event, EventTarget, AbortController, AbortSignal and DOMException's small relatives.
import { elapsed } from "./clock.js";
import { setWeakTimeout } from "./loop.js";

const { DOMException } = globalThis;
const SET = Symbol("set");

export class Event {
  #type;
  #bubbles;
  #cancelable;
  #composed;
  #timeStamp;
  #prevented = false;
  #passive = false;
  #target = null;
  #current = null;
  #phase = 0;
  #stopped = false;
  #stoppedNow = false;

  constructor(type, options = {}) {
    if (arguments.length === 0) throw new TypeError("Event: a type is needed");
    this.#type = String(type);
    this.#bubbles = Boolean(options?.bubbles);
    this.#cancelable = Boolean(options?.cancelable);
    this.#composed = Boolean(options?.composed);
    this.#timeStamp = elapsed();
  }
  get type() { return this.#type; }
  get bubbles() { return this.#bubbles; }
  get cancelable() { return this.#cancelable; }
  get composed() { return this.#composed; }
  get timeStamp() { return this.#timeStamp; }
  get target() { return this.#target; }
  get srcElement() { return this.#target; }
  get currentTarget() { return this.#current; }
  get eventPhase() { return this.#phase; }
  get defaultPrevented() { return this.#prevented; }
  get returnValue() { return !this.#prevented; }
  get isTrusted() { return false; }
  get cancelBubble() { return this.#stopped; }
  set cancelBubble(value) { if (value) this.#stopped = true; }
  composedPath() { return this.#current === null ? [] : [this.#current]; }
  preventDefault() { if (this.#cancelable && !this.#passive) this.#prevented = true; }
  stopPropagation() { this.#stopped = true; }
  stopImmediatePropagation() { this.#stopped = this.#stoppedNow = true; }

  [SET](target, passive) {
    if (target === undefined) {
      this.#current = null;
      this.#phase = 0;
      this.#stopped = this.#stoppedNow = false;
      return false;
    }
    this.#target = this.#current = target;
    this.#phase = 2;
    this.#passive = passive;
    return this.#stoppedNow;
  }

  static NONE = 0;
  static CAPTURING_PHASE = 1;
  static AT_TARGET = 2;
  static BUBBLING_PHASE = 3;
}

export class CustomEvent extends Event {
  #detail;
  constructor(type, options = {}) {
    super(type, options);
    this.#detail = options?.detail ?? null;
  }
  get detail() { return this.#detail; }
}

export class EventTarget {
  #listeners = [];

  addEventListener(type, callback, options) {
    const { capture = false, once = false, passive = false, signal } = typeof options === "object" && options !== null ? options : { capture: Boolean(options) };
    if (callback === null || callback === undefined) return;
    if (typeof callback !== "function" && typeof callback !== "object") throw new TypeError("addEventListener: the listener is neither a function nor an object");
    if (signal?.aborted) return;
    type = String(type);
    if (this.#listeners.some((one) => one.type === type && one.callback === callback && one.capture === Boolean(capture))) return;
    const listener = { type, callback, capture: Boolean(capture), once, passive, removed: false };
    this.#listeners.push(listener);
    signal?.addEventListener("abort", () => this.#remove(listener), { once: true });
  }

  removeEventListener(type, callback, options) {
    const capture = Boolean(typeof options === "object" && options !== null ? options.capture : options);
    type = String(type);
    const found = this.#listeners.find((one) => one.type === type && one.callback === callback && one.capture === capture);
    if (found !== undefined) this.#remove(found);
  }

  #remove(listener) {
    listener.removed = true;
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }

  dispatchEvent(event) {
    if (!(event instanceof Event)) throw new TypeError("dispatchEvent: not an Event");
    if (event.eventPhase !== 0) throw new DOMException("the event is being dispatched already", "InvalidStateError");
    for (const listener of this.#listeners.filter((one) => one.type === event.type)) {
      if (listener.removed) continue;
      if (listener.once) this.#remove(listener);
      if (event[SET](this, listener.passive)) break;
      const { callback } = listener;
      // What a listener throws ends the run, as anything does that nothing catches, but not the dispatch.
      try {
        if (typeof callback === "function") callback.call(this, event);
        else callback.handleEvent(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
      if (event[SET](this, false)) break;
    }
    event[SET]();
    return !event.defaultPrevented;
  }
}

/** Gives `prototype` the attribute `on<type>`. */
function handlerAttribute(prototype, type) {
  const handlers = new WeakMap();
  Object.defineProperty(prototype, `on${type}`, {
    configurable: true,
    enumerable: true,
    get() {
      return handlers.get(this)?.handler ?? null;
    },
    set(handler) {
      const known = handlers.get(this);
      if (known !== undefined) {
        known.handler = typeof handler === "function" ? handler : null;
        return;
      }
      if (typeof handler !== "function") return;
      const entry = { handler };
      handlers.set(this, entry);
      this.addEventListener(type, (event) => entry.handler?.call(this, event));
    },
  });
}

const KEY = Symbol("constructor key");
let signalAbort; // (signal, reason)

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason = undefined;
  #dependents = [];
  #sources = [];

  static {
    signalAbort = (signal, reason) => signal.#abort(reason);
  }

  constructor(key) {
    if (key !== KEY) throw new TypeError("AbortSignal cannot be constructed: use AbortController");
    super();
  }
  get aborted() { return this.#aborted; }
  get reason() { return this.#reason; }
  throwIfAborted() { if (this.#aborted) throw this.#reason; }

  #abort(reason) {
    if (this.#aborted) return;
    const all = [this];
    this.#aborted = true;
    this.#reason = reason === undefined ? new DOMException("This operation was aborted", "AbortError") : reason;
    for (const dependent of this.#dependents) {
      if (dependent.#aborted) continue;
      dependent.#aborted = true;
      dependent.#reason = this.#reason;
      all.push(dependent);
    }
    for (const signal of all) signal.dispatchEvent(new Event("abort"));
  }

  static abort(reason) {
    const signal = new AbortSignal(KEY);
    signal.#abort(reason);
    return signal;
  }

  static timeout(milliseconds) {
    const signal = new AbortSignal(KEY);
    setWeakTimeout(() => signal.#abort(new DOMException("The operation was aborted due to timeout", "TimeoutError")), milliseconds);
    return signal;
  }

  static any(signals) {
    const result = new AbortSignal(KEY);
    for (const signal of signals) {
      if (!(signal instanceof AbortSignal)) throw new TypeError("AbortSignal.any: not an AbortSignal");
      if (signal.#aborted) {
        result.#aborted = true;
        result.#reason = signal.#reason;
        return result;
      }
    }
    for (const signal of signals) {
      for (const source of signal.#sources.length > 0 ? signal.#sources : [signal]) {
        source.#dependents.push(result);
        result.#sources.push(source);
      }
    }
    return result;
  }
}
handlerAttribute(AbortSignal.prototype, "abort");

export class AbortController {
  #signal = new AbortSignal(KEY);
  get signal() { return this.#signal; }
  abort(reason) { signalAbort(this.#signal, reason); }
}

const timing = {
  now: elapsed,
  get timeOrigin() {
    return Date.now() - elapsed();
  },
  toJSON() {
    return { timeOrigin: this.timeOrigin };
  },
};
Object.defineProperty(timing, Symbol.toStringTag, { value: "Performance", configurable: true });
export { timing as performance };
