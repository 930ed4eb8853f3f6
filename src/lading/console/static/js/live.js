// Follows what changes while the page is seen, and says how old what it shows is.
// The browser's EventSource: unlike htmx's own stream it comes back when the first try fails too.
import {recall, remember} from './device.js';
import {keep} from './forms.js';
import {bind} from './keys.js';
import {notice} from './notices.js';
import {apply, refresh} from './swaps.js';
import {clock, measure} from './times.js';

const POLL_AFTER_FAILURES = 3, POLL_MS = 5000, RETRY_MAX_MS = 30000, GRACE_MS = 5000;
const place = document.getElementById('live'), indicator = document.getElementById('live-indicator');
const button = document.querySelector('[data-live-pause]');
const staleAfterMs = 1000 * (document.body.dataset.staleAfter ?? 30);
let source = null, state = 'connecting', failures = 0, timer = null, polling = null, openedAt = 0;
let last = place?.dataset.after, dataFrom = Date.parse(document.body.dataset.serverTime), freshAt = performance.now();

const TEXTS = {
  connecting: () => 'Connecting',
  live: seconds => `Live, ${Math.max(1, seconds)} s ago`,
  reconnecting: () => `Reconnecting, data from ${clock(dataFrom)}`,
  stale: () => `Database away, data from ${clock(dataFrom)}`,
  paused: () => 'Paused by you',
  replaced: () => 'Paused, newer pages of yours are live',
  'signed-out': () => `Signed out, data from ${clock(dataFrom)}`,
};

function show() {
  if (document.hidden) return;
  const passed = performance.now() - freshAt;
  const text = TEXTS[state](Math.round(passed / 1000));
  if (indicator.textContent !== text) indicator.textContent = text;
  indicator.dataset.state = state;
  const waited = performance.now() - openedAt;
  document.body.toggleAttribute('data-stale', state !== 'paused' && passed > staleAfterMs && waited > GRACE_MS);
  // A connection that is dead without having said so: a laptop slept, a network went.
  if (source && passed > staleAfterMs && waited > staleAfterMs) reopen();
}

function become(next) {
  state = next;
  const paused = next === 'paused';
  button?.setAttribute('aria-pressed', paused);
  if (button) button.textContent = paused ? 'Resume' : 'Pause';
  show();
}

function fresh(iso) {
  dataFrom = Date.parse(iso);
  freshAt = performance.now();
}

function open() {
  clearTimeout(timer);
  if (source || document.hidden || ['paused', 'signed-out'].includes(state)) return;
  const url = new URL(place.dataset.url, location.href);
  url.searchParams.set('since', place.dataset.after);
  url.searchParams.set('after', last);
  openedAt = performance.now();
  source = new EventSource(url);
  source.onmessage = event => { last = event.lastEventId; apply(event.data); };
  source.onerror = failed;
  const on = (name, act) => source.addEventListener(name, event => act(JSON.parse(event.data), event));
  on('beat', ({at}, event) => {
    last = event.lastEventId;
    failures = 0;
    stopPolling();
    measure(at);
    fresh(at);
    become('live');
  });
  on('stale', () => become('stale'));
  on('resync', poll);
  on('replaced', () => { close(); become('replaced'); });
  on('signed-out', signedOut);
  for (const bar of document.querySelectorAll('[data-new-rows]')) on(`${bar.dataset.newRows}:changed`, facts => announceNew(bar, facts.new));
}

function close() {
  source?.close();
  source = null;
  clearTimeout(timer);
  stopPolling();
}

function reopen() { close(); open(); }

function failed() {
  failures += 1;
  become('reconnecting');
  if (source?.readyState === EventSource.CLOSED) {
    // Refused with an answer, so the browser gives up; reading the page tells whether we may.
    source = null;
    poll();
    timer = setTimeout(open, Math.min(RETRY_MAX_MS, 2000 * 2 ** (failures - 1)));
  }
  if (failures >= POLL_AFTER_FAILURES) polling ??= setInterval(poll, POLL_MS);
}

function stopPolling() {
  clearInterval(polling);
  polling = null;
}

async function poll() {
  try {
    const page = await refresh();
    if (!page) return signedOut();
    fresh(page.body.dataset.serverTime);
    last = page.getElementById('live')?.dataset.after ?? last;
    const bar = document.querySelector('[data-new-rows]');
    if (bar) announceNew(bar, [...page.querySelectorAll(bar.dataset.newAmong ?? 'tr[data-row][id]')].filter(row => !document.getElementById(row.id)).length);
    show();
  } catch { /* not there yet; asked again */ }
}

function announceNew(bar, number) {
  bar.hidden = !number;
  const noun = bar.dataset.newNoun ? ` ${bar.dataset.newNoun}${number === 1 ? '' : 's'}` : '';
  (bar.querySelector('a') ?? bar).textContent = `${number} new${noun} - show`;
}

function signedOut() {
  close();
  become('signed-out');
  keep();
  const next = encodeURIComponent(location.pathname + location.search);
  notice('Signed out -', {href: `/sign-in?next=${next}`, textContent: 'sign in'});
}

function toggle() {
  const pause = !['paused', 'replaced'].includes(state);
  remember('live', pause ? 'paused' : 'on');
  close();
  become(pause ? 'paused' : 'connecting');
  open();
}

if (place && indicator && globalThis.EventSource && globalThis.htmx) {
  indicator.hidden = false;
  if (button) button.hidden = false;
  button?.addEventListener('click', toggle);
  bind('r', 'Pause or resume live updates', toggle);
  document.addEventListener('lading:signed-out', signedOut);
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) close();
    else if (state !== 'replaced') { open(); show(); }
  });
  addEventListener('focus', () => { if (state === 'replaced') { become('connecting'); open(); } });
  addEventListener('pagehide', close);
  addEventListener('pageshow', event => { if (event.persisted) open(); });
  setInterval(show, 1000);
  become(recall('live') === 'paused' ? 'paused' : 'connecting');
  open();
}
