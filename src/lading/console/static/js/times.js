// Instants in the browser's zone, ages that tick by the server's clock, and clocks that disagree.
import {notice} from './notices.js';

const SKEW_MAX_MS = 5000;
const {zone = 'UTC', serverTime} = document.body.dataset;
let ahead = 0, suspected = false;

export const serverNow = () => Date.now() + ahead;

function say() {
  notice(`The clock of this device and that of the server are ${Math.abs(Math.round(ahead / 1000))} s apart; times and ages here go by the server.`);
}

// The server just said what time it is. One late message is no wrong clock; two are.
export function measure(iso) {
  ahead = Date.parse(iso) - Date.now();
  const off = Math.abs(ahead) > SKEW_MAX_MS;
  if (off && suspected) say();
  suspected = off;
}

// When the page was made lies between its request and its answer.
const [load] = performance.getEntriesByType('navigation');
if (serverTime && load && load.type !== 'back_forward') {
  const made = Date.parse(serverTime) - performance.timeOrigin;
  ahead = made - load.responseStart;
  if (ahead > SKEW_MAX_MS || made - load.requestStart < -SKEW_MAX_MS) say();
}

const two = number => String(number).padStart(2, '0');

function localText(at) {
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

// `14:03:22` in the zone of this page.
export function clock(ms) {
  const options = {hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23'};
  if (zone === 'browser') return new Intl.DateTimeFormat('en-GB', options).format(ms);
  try {
    return new Intl.DateTimeFormat('en-GB', {...options, timeZone: zone}).format(ms);
  } catch {
    return new Intl.DateTimeFormat('en-GB', {...options, timeZone: 'UTC'}).format(ms);
  }
}

function age(seconds) {
  if (seconds < 2) return 'just now';
  const total = Math.round(seconds), minutes = Math.floor(total / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  const both = (large, name, small, unit) => `${large} ${name}${small ? ` ${small} ${unit}` : ''} ago`;
  if (total < 60) return `${total} s ago`;
  if (minutes < 60) return `${minutes} min ago`;
  return hours < 24 ? both(hours, 'h', minutes % 60, 'min') : both(days, 'd', hours % 24, 'h');
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function localise() {
  if (zone !== 'browser') return;
  for (const element of document.querySelectorAll('time[data-local]')) write(element, localText(new Date(element.dateTime)));
  const name = document.getElementById('zone-name');
  if (name) write(name, Intl.DateTimeFormat().resolvedOptions().timeZone);
}

function tick() {
  if (document.hidden) return;
  for (const element of document.querySelectorAll('time[data-relative]')) {
    write(element, age(Math.max(0, serverNow() - Date.parse(element.dateTime)) / 1000));
  }
}

function show() { localise(); tick(); }
show();
setInterval(tick, 1000);
document.addEventListener('htmx:after:swap', show);
document.addEventListener('visibilitychange', tick);
