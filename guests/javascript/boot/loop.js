// The event loop: what is runnable runs; only when nothing is does the agent ask the port what came
// from outside, and what it answers is recorded.
import * as native from "oacp:native";
import { now } from "./clock.js";

const NANOSECONDS = 1e6; // in a millisecond
const DELAY_MAX = 2 ** 31 - 1;
// An agent that polls with timers or `setImmediate` for a call's result would never be given it.
// After so many turns with calls open the port is asked all the same.
const TURNS_MAX = 1000;

const calls = new Map(); // open calls: id → what to do with the completion
let timers = []; // by due time, then by age
let immediates = [];
let batch = []; // the immediates of this turn of the loop
const timersById = new Map();
let lastId = 0;
let turns = 0;
let afterTimer = false;

/** Forgets what an earlier run in this instance left open. */
export function reset() {
  calls.clear();
  timersById.clear();
  timers = [];
  immediates = [];
  batch = [];
}

/** Hands the completion of `call` to `deliver`. */
export function open(call, deliver) {
  calls.set(call, deliver);
}

/** Nobody wants the completion of `call` any more. */
export function forget(call) {
  calls.delete(call);
}

/** Waits for one call, while nothing else runs. */
export function waitFor(call) {
  return native.wait([call]);
}

function insert(timer) {
  let low = 0;
  let high = timers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (timers[middle].due <= timer.due) low = middle + 1;
    else high = middle;
  }
  timers.splice(low, 0, timer);
}

function schedule(name, callback, delay, args, repeat, weak = false) {
  if (typeof callback !== "function") {
    throw new TypeError(`${name}: the callback is not a function`);
  }
  delay = Math.trunc(Number(delay));
  if (!(delay >= 1)) delay = 1;
  if (delay > DELAY_MAX) delay = 1;
  const id = ++lastId;
  const timer = { id, callback, args, interval: repeat ? delay * NANOSECONDS : 0, due: now() + delay * NANOSECONDS, weak };
  timersById.set(id, timer);
  insert(timer);
  return id;
}

export function setTimeout(callback, delay, ...args) {
  return schedule("setTimeout", callback, delay, args, false);
}

/** A timer that does not keep a plain script from ending. */
export function setWeakTimeout(callback, delay) {
  return schedule("setTimeout", callback, delay, [], false, true);
}

export function setInterval(callback, delay, ...args) {
  return schedule("setInterval", callback, delay, args, true);
}

export function clearTimeout(id) {
  const timer = timersById.get(Number(id));
  if (timer === undefined) return;
  timersById.delete(timer.id);
  const at = timers.indexOf(timer);
  if (at >= 0) timers.splice(at, 1);
}

export function clearInterval(id) {
  clearTimeout(id);
}

export function setImmediate(callback, ...args) {
  if (typeof callback !== "function") {
    throw new TypeError("setImmediate: the callback is not a function");
  }
  const id = ++lastId;
  immediates.push({ id, callback, args });
  return id;
}

export function clearImmediate(id) {
  id = Number(id);
  immediates = immediates.filter((one) => one.id !== id);
  batch = batch.filter((one) => one.id !== id);
}

function fire(timer) {
  timers.shift();
  afterTimer = true;
  if (timer.interval) {
    timer.due = now() + timer.interval;
    insert(timer);
  } else {
    timersById.delete(timer.id);
  }
  const { callback, args } = timer;
  callback(...args);
}

function deliver(completion) {
  turns = 0;
  const taker = calls.get(completion[0]);
  calls.delete(completion[0]);
  taker(completion);
}

function openCalls() {
  return [...calls.keys()].sort((a, b) => a - b);
}

/** Runs one thing. False when there is nothing to run and nothing to wait for; `ending`: nor anything but weak timers. */
export function step(ending) {
  if (batch.length > 0) {
    const { callback, args } = batch.shift();
    callback(...args);
    return true;
  }
  if (calls.size > 0 && ++turns > TURNS_MAX) {
    turns = 0;
    const completion = native.wait(openCalls(), now() + NANOSECONDS);
    if (completion !== undefined) deliver(completion);
    return true;
  }
  const first = timers[0];
  if (immediates.length > 0 && (afterTimer || first === undefined || first.due > now())) {
    afterTimer = false;
    batch = immediates;
    immediates = [];
    return step(ending);
  }
  if (first !== undefined && first.due <= now()) {
    fire(first);
    return true;
  }
  if (calls.size === 0 && (ending ? timers.every((one) => one.weak) : first === undefined)) return false;
  const completion = native.wait(openCalls(), first?.due);
  if (completion !== undefined) {
    deliver(completion);
  } else if (first !== undefined) {
    turns = 0;
    fire(first);
  }
  return true;
}
